"""Results as a table in Markdown: held-out distances by folder and variant, beside what needs no model."""

from collections.abc import Sequence
from statistics import mean, stdev
from typing import Any

from sda.measures import RECONSTRUCTION

COLUMNS = ("log_mel_l1_db", "mr_stft", "spectral_convergence", "loudness_error_db", "zimtohrli")
"""Held-out measures that are shown; lower is better."""
CEILING, KNOWS_NOTHING = "ceiling", "mean_mel"
OTHERS = {CEILING: "mel → Griffin-Lim, no model", KNOWS_NOTHING: "mean mel of the training set"}
EMBEDDING = "aisfx"


def draw_table(results: Sequence[dict[str, Any]]) -> list[str]:
    """Lines of a table; several seeds are shown as mean ± standard deviation.

    Args:
        results: as `run.py` writes them, of any number of folders, variants and seeds.
    """
    titles = [
        "sounds",
        "variant",
        "CPU-min",
        "steps",
        *(RECONSTRUCTION[key].title for key in COLUMNS),
        "MMD ratio",
        "gap, %",
    ]
    lines = [_row(titles), _row(["---"] * len(titles))]
    for data in dict.fromkeys(result["data"] for result in results):
        here = [result for result in results if result["data"] == data]
        for variant in dict.fromkeys(result["variant"] for result in here):
            runs = [result for result in here if result["variant"] == variant]
            cells = [data, variant, _spell([run["cpu_s"] / 60 for run in runs], 1)]
            cells += [_spell([run["n_steps"] for run in runs], 0), *_list_measures(runs, "model")]
            cells += [_spell([run["mmd_ratio"] for run in runs], 2), _spell([100 * run["gap"] for run in runs], 0)]
            lines.append(_row(cells))
        for source, words in OTHERS.items():
            lines.append(_row([data, words, "", "", *_list_measures(here[:1], source), "", ""]))
    return lines


def _list_measures(runs: Sequence[dict[str, Any]], source: str) -> list[str]:
    return [_spell([run["held_out"][source][key] for run in runs], RECONSTRUCTION[key].digits) for key in COLUMNS]


def _spell(values: Sequence[float | None], digits: int) -> str:
    """A mean and how far seeds differ; empty where a value is missing."""
    known = [value for value in values if value is not None]
    if not known or len(known) < len(values):
        return ""
    text = f"{mean(known):.{digits}f}"
    return text if len(known) == 1 else f"{text} ± {stdev(known):.{digits}f}"


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
