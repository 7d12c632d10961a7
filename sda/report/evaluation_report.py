"""An evaluation written down: `evaluation.json`, and a page with its sounds inside."""

import base64
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from sda.audio.io import encode_mp3
from sda.audio.waveform import read_waveform
from sda.durable import write_json, write_text
from sda.evaluation.assessment import Assessment
from sda.evaluation.nearest import list_nearest
from sda.evaluation.recordings import list_made
from sda.evaluation.sound_map import MapPoint
from sda.report.advice import Standing, suggest_command
from sda.report.evaluation import Evaluation, FoldersSubject, RunSubject
from sda.report.evaluation_lines import format_place
from sda.report.evaluation_page import ListeningRow, MadeRow, NearestRow, Point, Report, draw_page
from sda.report.evaluation_values import MADE_OF, PAGE, VALUES, list_values

N_MADE = 8
"""Generated sounds that are shown with what they are made of."""
MOST_PLAYED_S = 10.0
"""Of a longer one, its beginning is shown."""


def write_assessment(
    name: str,
    folder: Path,
    assessment: Assessment,
    subject: RunSubject | FoldersSubject,
    standing: Standing | None = None,
) -> Report:
    """Write what was assessed into a folder, and what new sounds are made of; gives what its page shows.

    Args:
        subject: what was evaluated; it comes first in `evaluation.json` and on the page.
        standing: where the run stands that was evaluated, if it was one.

    Raises:
        OSError: the folder cannot be written.
    """
    command = suggest_command(assessment.verdict.case, standing) if standing is not None else ""
    report = build_report(name, Evaluation(subject, assessment, command))
    made = [{"sound": sound.name, **made_of} for sound, made_of in list_made(assessment)]
    if made:
        write_json(folder / MADE_OF, made)
    write_evaluation(folder, [report], list_values(report.evaluation))
    return report


def write_evaluation(folder: Path, reports: Sequence[Report], values: dict[str, Any]) -> None:
    """Write `report.html`, and last `evaluation.json`, by which an evaluation is known as whole.

    Raises:
        OSError: the folder cannot be written.
    """
    write_text(folder / PAGE, draw_page(reports))
    write_json(folder / VALUES, values)


def build_report(name: str, evaluation: Evaluation) -> Report:
    """What the page shows of one evaluation, its sounds encoded."""
    assessment, clips = evaluation.assessment, dict[str, str]()
    rate_hz = assessment.audio.sample_rate_hz

    def keep(clip: Tensor) -> str:
        key = f"c{len(clips)}"
        clips[key] = f"data:audio/mpeg;base64,{base64.b64encode(encode_mp3(clip.numpy(), rate_hz)).decode()}"
        return key

    points = [
        Point(point.kind, _title(point), point.by_variance, point.by_neighbours, keep(point.clip))
        for point in assessment.points
    ]
    nearest = [
        NearestRow(
            title=f"{row.generated}, {row.start_s:.1f} s",
            source_title=f"{row.source}, {format_place(row.source_start_s)}",
            correlation=row.correlation,
            is_replay=row.is_replay,
            clip=keep(clip),
            source_clip=keep(source),
        )
        for row, clip, source in list_nearest(assessment.audio, assessment.memorisation)
    ]
    listening = []
    if assessment.reconstruction is not None:
        listening = [
            ListeningRow(title, keep(original), keep(rebuilt), keep(ceiling))
            for title, original, rebuilt, ceiling in assessment.reconstruction.examples
        ]
    made = []
    for sound, made_of in list_made(assessment)[:N_MADE]:
        clip = read_waveform(sound.waveform[: round(MOST_PLAYED_S * rate_hz)])
        made.append(MadeRow(sound.name, len(clip) / rate_hz, made_of, keep(clip)))
    return Report(name, evaluation, points, nearest, listening, made, clips)


def _title(point: MapPoint) -> str:
    return f"{point.sound.name}, {format_place(point.start_s)}"
