"""What was assessed, written down: `evaluation.json`, the lines of the terminal, and the page with its sounds."""

import base64
import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from torch import Tensor

from sda.app.assessment import Assessment, MapPoint
from sda.app.evaluation_page import EMBEDDINGS, ListeningRow, NearestRow, Point, Report, draw_page
from sda.app.subject import Reconstruction
from sda.audio.io import encode_mp3
from sda.bootstrap import Estimate
from sda.durable import write_json, write_text
from sda.evaluation.memorisation import WINDOW_S, Replay, cut_match
from sda.evaluation.suite import Memorisation, Resemblance
from sda.training.metrics import Evaluated

SCHEMA = 1
VALUES = "evaluation.json"
PAGE = "report.html"
FOLDER = "evaluation"
"""Below a run's folder, where its evaluation lies."""
SECTIONS = ("reconstruction", "distribution", "memorisation", "latents")
"""Parts of `evaluation.json` whose figures MLflow is told."""
N_NEAREST = 20
"""Generated windows that are shown beside their nearest training sound."""

MEASURE_NAMES = {
    "log_mel_l1_db": "log-mel L1, dB",
    "multi_scale_mel_l1_db": "multi-scale mel L1, dB",
    "mr_stft": "MR-STFT",
    "lsd_0_4k_db": "spectrum 0–4 kHz, dB",
    "lsd_4_12k_db": "spectrum 4–12 kHz, dB",
    "lsd_12_24k_db": "spectrum 12–24 kHz, dB",
    "loudness_error_db": "loudness error, dB",
    "zimtohrli": "Zimtohrli",
}


def list_values(assessment: Assessment, facts: dict[str, Any]) -> dict[str, Any]:
    """Everything measured as JSON-ready values; each figure's interval stands beside it under `…_interval`.

    Args:
        facts: what was evaluated, put first.
    """
    values: dict[str, Any] = {"schema": SCHEMA, **facts}
    material = assessment.material
    values["n_files"] = {
        "train": len({sound.name for sound in material.train}),
        "held_out": len({sound.name for sound in material.held_out}),
        "generated": len(material.generated),
    }
    verdict = assessment.verdict
    values["verdict"] = {
        "label": verdict.label,
        "headline": verdict.headline,
        "advice": verdict.advice,
        "findings": [
            {"text": finding.text, "key": finding.key, **_spell("value", finding.estimate, "interval")}
            for finding in verdict.findings
        ],
    }
    if assessment.reconstruction is not None:
        values["reconstruction"] = _list_reconstruction(assessment.reconstruction)
    values["distribution"] = {name: _list_resemblance(one) for name, one in assessment.resemblance.items()}
    values["memorisation"] = _list_memorisation(assessment.memorisation, assessment)
    if assessment.latents is not None:
        values["latents"] = asdict(assessment.latents)
    return values


def flatten_figures(values: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, float]]:
    """Every finite number of `evaluation.json` by its key, intervals and lists left out: what MLflow is told.

    >>> dict(flatten_figures({"memorisation": {"replay_rate": 0.1, "replay_rate_interval": [0.0, 0.2]}}))
    {'memorisation.replay_rate': 0.1}
    """
    for key, value in values.items():
        if isinstance(value, dict):
            yield from flatten_figures(value, f"{prefix}{key}.")
        elif isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value):
            yield f"{prefix}{key}", float(value)


def describe_evaluation(values: dict[str, Any], folder: Path) -> Evaluated:
    """An evaluation as the event that the journal and MLflow are told."""
    sections: dict[str, Any] = {key: values[key] for key in SECTIONS if key in values}
    return Evaluated(
        epoch=values["epoch"],
        suite=values["suite"],
        label=values["verdict"]["label"],
        figures=dict(flatten_figures(sections)),
        values_path=str(folder / VALUES),
        report_path=str(folder / PAGE),
    )


def write_evaluation(folder: Path, reports: Sequence[Report], values: dict[str, Any]) -> None:
    """Write `evaluation.json` and `report.html`.

    Raises:
        OSError: the folder cannot be written.
    """
    write_json(folder / VALUES, values)
    write_text(folder / PAGE, draw_page(reports))


def build_report(name: str, facts: list[str], assessment: Assessment, values: dict[str, Any]) -> Report:
    """What the page shows of one evaluation, its sounds encoded."""
    clips: dict[str, str] = {}
    rate_hz = assessment.material.sample_rate_hz

    def keep(clip: Tensor) -> str:
        key = f"c{len(clips)}"
        clips[key] = f"data:audio/mpeg;base64,{base64.b64encode(encode_mp3(clip.numpy(), rate_hz)).decode()}"
        return key

    points = [
        Point(point.kind, _title(point), point.spread, point.neighbours, keep(point.clip))
        for point in assessment.points
    ]
    nearest = [
        NearestRow(
            title=f"{row['generated']}, {row['start_s']:.1f} s",
            source_title=f"{row['source']}, {format_place(row['source_start_s'])}",
            correlation=row["correlation"],
            is_replay=row["is_replay"],
            clip=keep(clip),
            source_clip=keep(source),
        )
        for row, clip, source in _list_nearest(assessment)
    ]
    listening = []
    if assessment.reconstruction is not None:
        listening = [
            ListeningRow(title, keep(original), keep(rebuilt), keep(ceiling))
            for title, original, rebuilt, ceiling in assessment.reconstruction.examples
        ]
    return Report(name, facts, values, points, assessment.variance_share, nearest, listening, clips)


def format_values(values: dict[str, Any]) -> list[str]:
    """The evaluation as lines for the terminal."""
    verdict = values["verdict"]
    lines = [f"  verdict: {verdict['label']}. {verdict['headline']}"]
    lines += [f"    {finding['text']}" for finding in verdict["findings"]]
    lines.append(f"  try next: {verdict['advice']}")
    lines += _format_reconstruction(values.get("reconstruction"))
    for name, figures in values["distribution"].items():
        title = f"  likeness to unheard sound, {EMBEDDINGS.get(name, name)}: "
        if figures["too_few"]:
            lines.append(title + figures["too_few"])
            continue
        lines.append(
            f"{title}MMD² {figures['mmd2']:.3f}, training sound {figures['mmd2_train']:.3f}; ratio "
            f"{_show(figures, 'ratio')}; density {figures['density']:.2f} ({figures['density_train']:.2f}), "
            f"coverage {figures['coverage']:.2f} ({figures['coverage_train']:.2f})"
        )
    memorisation = values["memorisation"]
    controls = ", ".join(f"{name} {one['rate']:.0%}" for name, one in memorisation["controls"].items())
    lines.append(
        f"  replays: {_show(memorisation, 'replay_rate')} of seconds above a correlation of "
        f"{memorisation['threshold']:.2f}, {_show(memorisation, 'collage_rate')} of quarter seconds; "
        f"recognised: {controls}"
    )
    for row in memorisation["nearest"][:3]:
        lines.append(
            f"    closest: {row['generated']} at {row['start_s']:.1f} s and {row['source']} at "
            f"{format_place(row['source_start_s'])}, correlation {row['correlation']:.2f}"
        )
    if "latents" in values:
        latents = values["latents"]
        n_dimensions = len(latents["kl_by_dimension"])
        lines.append(
            f"  latents: {latents['active_units']} of {n_dimensions} active, "
            f"{latents['information']:.0f} nats a chunk, "
            f"{latents['aggregate_kl']:.0f} nats between all sounds and the prior"
        )
    return lines


def format_place(seconds: float) -> str:
    """A place in a file, minutes and seconds.

    >>> format_place(62.34)
    '1:02.34'
    """
    hundredths = round(100 * seconds)
    return f"{hundredths // 6000}:{hundredths % 6000 // 100:02d}.{hundredths % 100:02d}"


def _title(point: MapPoint) -> str:
    return f"{point.sound.name}, {format_place(point.start_s)}"


def _spell(name: str, estimate: Estimate, interval: str = "") -> dict[str, Any]:
    """A figure and its interval, what is not finite as nothing."""
    bounds = [bound if math.isfinite(bound) else None for bound in (estimate.low, estimate.high)]
    return {name: estimate.value if math.isfinite(estimate.value) else None, interval or f"{name}_interval": bounds}


def _list_reconstruction(reconstruction: Reconstruction) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for side, sources in (("held_out", reconstruction.held_out), ("train", reconstruction.train)):
        if sources:
            values[side] = {
                source: {key: value for name, one in measures.items() for key, value in _spell(name, one).items()}
                for source, measures in sources.items()
            }
    values |= {"n_clips": reconstruction.n_clips, "n_files": reconstruction.n_files}
    for side, skill in reconstruction.skill.items():
        values |= _spell(f"skill_{side}", skill)
    if reconstruction.error_ratio is not None:
        values |= _spell("error_ratio", reconstruction.error_ratio)
    return values


def _list_resemblance(resemblance: Resemblance) -> dict[str, Any]:
    values: dict[str, Any] = {"too_few": resemblance.too_few}
    if resemblance.likeness is not None:
        for name, value in vars(resemblance.likeness).items():
            values |= _spell(name, value) if isinstance(value, Estimate) else {name: value}
    return values


def _list_memorisation(memorisation: Memorisation, assessment: Assessment) -> dict[str, Any]:
    replay, collage = memorisation.replay, memorisation.collage
    return {
        **_spell("replay_rate", replay.rate),
        "threshold": replay.threshold,
        "null_median": replay.null_median,
        "n_null_windows": replay.n_null_windows,
        "n_null_files": replay.n_null_files,
        "n_windows": replay.n_windows,
        "doubt": replay.doubt,
        "controls": _list_controls(replay),
        **_spell("collage_rate", collage.rate),
        "collage_threshold": collage.threshold,
        "collage_controls": _list_controls(collage),
        "correlations": {
            name: [round(float(value), 4) for value in similarity.correlation]
            for name, similarity in memorisation.similarities.items()
        },
        "nearest": [row for row, _, _ in _list_nearest(assessment)],
    }


def _list_controls(replay: Replay) -> dict[str, Any]:
    return {name: asdict(control) for name, control in replay.controls.items()}


def _list_nearest(assessment: Assessment) -> Iterator[tuple[dict[str, Any], Tensor, Tensor]]:
    """Generated windows closest to training sound, one of each generated sound: the row, its sound, its source's."""
    memorisation, material = assessment.memorisation, assessment.material
    similarity, rate_hz = memorisation.similarities["generated"], material.sample_rate_hz
    n_samples, shown = round(WINDOW_S * rate_hz), set[int]()
    for index in (-similarity.correlation).argsort(kind="stable"):
        sound_index, start = int(similarity.sound[index]), int(similarity.window_start[index])
        if sound_index in shown:
            continue
        shown.add(sound_index)
        sound = material.generated[sound_index]
        source, source_start_s = material.train[similarity.source[index]], float(similarity.start_s[index])
        row = {
            "generated": sound.name,
            "start_s": sound.start_s + start / rate_hz,
            "source": source.name,
            "source_start_s": round(source_start_s, 3),
            "correlation": round(float(similarity.correlation[index]), 4),
            "is_replay": bool(similarity.correlation[index] > memorisation.replay.threshold),
        }
        yield row, sound.waveform[start : start + n_samples], cut_match(source, source_start_s, n_samples, rate_hz)
        if len(shown) == N_NEAREST:
            return


def _show(values: dict[str, Any], name: str) -> str:
    """A figure with its interval."""
    low, high = values[f"{name}_interval"]
    nan = math.nan
    return str(Estimate(values[name], nan if low is None else low, nan if high is None else high))


def _format_reconstruction(values: dict[str, Any] | None) -> list[str]:
    """A table of measures by source."""
    if values is None:
        return []
    columns = {"held-out, model": values["held_out"]["model"]}
    if "train" in values:
        columns["training, model"] = values["train"]["model"]
    columns |= {"mean mel": values["held_out"]["mean_mel"], "ceiling": values["held_out"]["ceiling"]}
    title = f"  reconstruction of {values['n_clips']['held_out']} held-out chunks"
    lines = [f"{title:<42}" + "".join(f"{name:>24}" for name in columns)]
    for key in columns["held-out, model"]:
        if not key.endswith("_interval"):
            digits = 4 if key == "zimtohrli" else 2
            cells = "".join(f"{_format_cell(column, key, digits):>24}" for column in columns.values())
            lines.append(f"    {MEASURE_NAMES.get(key, key):<38}{cells}")
    return lines


def _format_cell(column: dict[str, Any], key: str, digits: int) -> str:
    low, high = column[f"{key}_interval"]
    bounds = "" if low is None else f" ({low:.{digits}f}–{high:.{digits}f})"
    return f"{column[key]:.{digits}f}{bounds}"
