"""Cross-validation: what the folds of a sweep say together."""

import math
import statistics
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict

from sda.config.plain import read_yaml
from sda.errors import DamagedError
from sda.measures import AT_END
from sda.stored import RunSummary, pass_over, read_stored, to_figure


@dataclass(frozen=True)
class FoldSummary:
    """Mean and spread of each score over the folds that have finished."""

    n_folds: int
    mean: dict[str, float]
    spread: dict[str, float]
    """Standard deviation over the folds (that of a sample)."""

    def metrics(self) -> dict[str, float]:
        """The same under flat names, such as `folds/best_val_loss_mean`."""
        flat = {f"folds/{name}_mean": value for name, value in self.mean.items()}
        flat |= {f"folds/{name}_spread": value for name, value in self.spread.items()}
        return {"folds/n": float(self.n_folds), **flat}

    def __str__(self) -> str:
        scores = ", ".join(f"{name} {value:.3f} ± {self.spread[name]:.3f}" for name, value in self.mean.items())
        return f"over {self.n_folds} folds: {scores}"


def summarise_folds(sweep_dir: Path) -> FoldSummary | None:
    """What the finished runs of a sweep say together, if they are folds of one cross-validation and nothing else.

    Nothing while fewer than two have finished, or where anything but `data.fold` tells them apart. Damaged runs are
    named and passed over.
    """
    scores, settings = [], []
    for path in sorted(sweep_dir.glob("*/summary.json")):
        try:
            summary = read_stored(path, RunSummary)
            if summary["status"] != "finished":
                continue
            setting = _describe_without_fold(path.parent / ".hydra" / "config.yaml")
        except DamagedError as damage:
            pass_over(damage)
            continue
        scores.append(_list_scores(summary))
        settings.append(setting)
    if len(scores) < 2 or any(setting != settings[0] for setting in settings) or not settings[0]["data"]["folds"]:
        return None
    names = [name for name in scores[0] if all(name in score for score in scores)]
    columns = {name: [score[name] for score in scores] for name in names}
    return FoldSummary(
        n_folds=len(scores),
        mean={name: statistics.fmean(values) for name, values in columns.items()},
        spread={name: statistics.stdev(values) for name, values in columns.items()},
    )


def _list_scores(summary: RunSummary) -> dict[str, float]:
    """The numbers worth comparing over folds; a run whose warm-up was not over has no best loss."""
    model = summary.get("reconstruction", {}).get("model", {})
    scores = {"best_val_loss": summary.get("best_val_loss"), "overfitting_gap": summary.get("overfitting_gap")}
    scores |= {name: model.get(name) for name in AT_END}
    figures = {name: to_figure(value) for name, value in scores.items()}
    return {name: value for name, value in figures.items() if not math.isnan(value)}


class _Folds(TypedDict):
    folds: int
    fold: int


class _Setting(TypedDict):
    data: _Folds


def _describe_without_fold(path: Path) -> dict[str, Any]:
    values: dict[str, Any] = dict(read_stored(path, _Setting, load=read_yaml))
    return values | {"data": {key: value for key, value in values["data"].items() if key != "fold"}}
