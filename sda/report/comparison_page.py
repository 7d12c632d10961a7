"""A comparison as one HTML file that needs nothing else: tables, curves, spectrograms and players side by side."""

import base64
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sda.audio.io import encode_mp3, get_metadata, read_mono
from sda.errors import DataError
from sda.printable import make_printable
from sda.report.comparison_figures import Picture
from sda.report.comparison_lines import HEAD_OF_SETTINGS, describe_ranking, head_runs, tabulate_runs, tabulate_settings
from sda.report.page import SoundList, render_page
from sda.runs.comparison import ComparedRun, Comparison
from sda.runs.folder import PREVIEWS

MOST_HEARD = 16
"""Runs whose sounds are on the page: the best of every setting first."""
SOUNDS = {"original_1": "held-out original", "reconstruction_1": "reconstruction", "sample_1": "new sound"}
"""Previews that are played, by file name."""
PICTURE = "reconstruction_1.png"
LARGEST_PICTURE = 16 << 20
"""Bytes; a larger file is none of ours and is not shown."""
LONGEST_HEARD_S = 300.0
MOST_HEARD_SAMPLES = 1 << 24
"""A longer preview is none of ours and is not played: a small file can hold hours."""


def draw_page(comparison: Comparison, pictures: Sequence[Picture]) -> str:
    """The whole page."""
    heard = choose_heard(comparison)
    clips: dict[str, str] = {}
    sounds = SoundList()
    rows = [_describe(run, clips, sounds) for run in heard]
    return render_page(
        "comparison.html.j2",
        title=make_printable(comparison.title),
        ranked=comparison.ranked_words,
        is_ranked=comparison.ranking is not None,
        settings=_show([HEAD_OF_SETTINGS, *tabulate_settings(comparison)]) if comparison.ranking else [],
        sentences=[make_printable(line) for line in describe_ranking(comparison)] if comparison.ranking else [],
        runs=_show([head_runs(comparison), *tabulate_runs(comparison)]),
        notes=[make_printable(note) for note in comparison.notes],
        pictures=[(picture.title, _embed(picture.png, "image/png")) for picture in pictures],
        heard=rows,
        n_left_out=len(comparison.runs) - len(heard),
        data={"clips": [clips], "sounds": sounds.entries},
    )


def _show(rows: Sequence[Sequence[str]]) -> list[list[str]]:
    return [[make_printable(cell) for cell in row] for row in rows]


def choose_heard(comparison: Comparison) -> list[ComparedRun]:
    """Runs to listen to: the best of every setting, then the others in their order."""
    best: dict[str, ComparedRun] = {}
    for run in comparison.runs:
        best.setdefault(run.setting_words, run)
    chosen = [*best.values(), *(run for run in comparison.runs if run not in best.values())]
    kept = [run for run in chosen if _find_previews(run.run_dir) is not None][:MOST_HEARD]
    return [run for run in comparison.runs if run in kept]


def _describe(run: ComparedRun, clips: dict[str, str], sounds: SoundList) -> dict[str, Any]:
    folder = _find_previews(run.run_dir)
    assert folder is not None
    return {
        "setting": make_printable(run.setting_words),
        "repetition": make_printable(run.repetition_words),
        "name": make_printable(run.name),
        "label": make_printable(run.label),
        "epoch": folder.name.rpartition("_")[2].lstrip("0"),
        "picture": _show_picture(folder / PICTURE),
        "players": [
            (title, sounds.add(0, key, make_printable(f"{title}: {run.setting_words}, {run.repetition_words}")))
            for stem, title in SOUNDS.items()
            if (key := _keep(folder / f"{stem}.wav", clips))
        ],
    }


def _find_previews(run_dir: Path) -> Path | None:
    """A run's newest previews."""
    folders: Sequence[Path] = sorted((run_dir / PREVIEWS).glob("epoch_*"))
    return folders[-1] if folders else None


def _show_picture(path: Path) -> str:
    """A picture for the page; empty where there is none that can be read."""
    try:
        return _embed(path.read_bytes(), "image/png") if path.stat().st_size <= LARGEST_PICTURE else ""
    except OSError:
        return ""


def _keep(path: Path, clips: dict[str, str]) -> str:
    """Put a sound among the page's; its key, or nothing where there is none that can be read."""
    blocks, n_samples = [], 0
    try:
        rate_hz = get_metadata(path).sample_rate_hz
        for block in read_mono(path, rate_hz):
            blocks.append(block)
            n_samples += len(block)
            if n_samples > min(LONGEST_HEARD_S * rate_hz, MOST_HEARD_SAMPLES):
                return ""
    except DataError:
        return ""
    key = f"c{len(clips)}"
    clips[key] = _embed(encode_mp3(np.concatenate(blocks), rate_hz), "audio/mpeg")
    return key


def _embed(content: bytes, kind: str) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
