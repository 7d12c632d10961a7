"""Runs side by side: what tells them apart, what each came to, and which setting is best, as data."""

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sda.errors import CheckpointError, DamagedError
from sda.evaluation.ranking import Ranking, Trial, rank
from sda.measures import AT_END, OF_RUN, Measure, describe
from sda.printable import make_printable
from sda.runs.axes import REPEATED, find_axes, order_value, shorten, value_of
from sda.runs.comparability import Judgement, find_obstacle
from sda.runs.folder import HISTORY, IDENTITY, SUMMARY, read_config, read_overrides, read_summary
from sda.runs.objective import read_objective
from sda.runs.sweep_command import name_setting
from sda.stored import pass_over, read_stored, take_shape, to_figure
from sda.training.events import EpochMetrics
from sda.training.metrics import MetricsHistory

COMPARED = (*AT_END, *(key for key, measure in OF_RUN.items() if measure.compared))
"""Figures that tables show of every run beside the objective."""


@dataclass(frozen=True)
class ComparedRun:
    """One run among others."""

    run_dir: Path
    name: str
    """The last parts of its folder, which tell it from the others."""
    setting: dict[str, str]
    """Value by axis, what is only repeated left out."""
    repetition: dict[str, str]
    """Its seed, and its fold where there are folds."""
    status: str
    figures: dict[str, float]
    """The objective and `COMPARED`; not a number where one was not measured."""
    errors: dict[str, tuple[float, float]]
    """The objective and its weight by held-out file; one entry where only the whole is known, none where nothing is."""
    weakness: str
    """Why what was held out says less than it should; empty where whole groups are."""
    label: str
    """Of its evaluation, such as `learned`; empty where there was none."""
    best_epoch: int | None
    elapsed_s: float
    mlflow_run_id: str

    @property
    def setting_words(self) -> str:
        """Its setting, as `name_setting` writes it."""
        return name_setting(self.setting)

    @property
    def repetition_words(self) -> str:
        """Its repetition in the same way."""
        return name_setting(self.repetition)


@dataclass(frozen=True)
class Comparison:
    """Runs and what they say together."""

    title: str
    objective: str
    axes: dict[str, list[str]]
    """Values of each key that tells settings apart, in order."""
    runs: list[ComparedRun]
    """Those that finished and have the objective first, best first where they are ranked."""
    ranking: Ranking | None
    """Nothing where no run finished, or they cannot be compared."""
    refusal: str = ""
    """Why they cannot be compared by the objective."""
    notes: list[str] = field(default_factory=list)
    """What to bear in mind."""

    @property
    def ranked(self) -> list[ComparedRun]:
        """Runs that have the objective, where they can be ranked by it."""
        return [run for run in self.runs if run.errors and not self.refusal]

    @property
    def measure(self) -> Measure:
        """How the objective is called and written."""
        return describe(self.objective)

    @property
    def objective_words(self) -> str:
        """What the runs are ranked by, such as `MR-STFT of held-out sound`."""
        return f"{self.measure.title} of held-out sound" if self.objective in AT_END else self.measure.title

    @property
    def ranked_words(self) -> str:
        """By what the runs are ranked, or why they are not."""
        if self.refusal:
            return f"not ranked by {self.objective_words}: {self.refusal}"
        differences = [] if self.ranking is None else self.ranking.differences
        is_apart = bool(differences) and all(difference.n_repetitions == 0 for difference in differences)
        apart = "; no setting shares a seed with the best, so that each was judged on files of its own"
        return f"ranked by {self.objective_words}; lower is better{apart if is_apart else ''}"

    @property
    def axes_words(self) -> str:
        """What was varied, such as `preset × dropout`."""
        return " × ".join(key.rpartition(".")[2] for key in self.axes) or "one setting"

    @property
    def n_repetitions(self) -> int:
        """Seeds and folds among the runs that have the objective."""
        return len({run.repetition_words for run in self.ranked})


def compare_runs(run_dirs: Sequence[Path], objective: str, title: str) -> Comparison:
    """Put runs side by side.

    Raises:
        CheckpointError: there is no run.
    """
    if not run_dirs:
        raise CheckpointError("there is no run to compare.")
    configs = [read_config(run_dir) for run_dir in run_dirs]
    overrides = [_read_overrides(run_dir) for run_dir in run_dirs]
    axes = find_axes(configs, overrides)
    shortened = {key: shorten(values, key) for key, values in axes.items() if key not in REPEATED}
    told = {key: list(short.values()) for key, short in shortened.items()}
    runs = []
    for run_dir, config, given in zip(run_dirs, configs, overrides, strict=True):
        setting = {key: short[value_of(key, config, given)] for key, short in shortened.items()}
        runs.append(_describe(run_dir, setting, config, objective))
    judged = [
        Judgement(run.run_dir, run.repetition_words, config)
        for run, config in zip(runs, configs, strict=True)
        if run.errors
    ]
    refusal = find_obstacle(judged, objective)
    notes = _find_notes(runs, objective)
    if refusal:
        runs.sort(key=lambda run: not run.errors)
        return Comparison(title, objective, told, runs, None, refusal, notes)
    runs.sort(key=lambda run: (not run.errors, run.figures[objective] if run.errors else 0.0, str(run.run_dir)))
    trials = [Trial(run.setting_words, run.repetition_words, run.errors) for run in runs if run.errors]
    ranking = rank(trials, lowest=0.0 if objective in AT_END else -math.inf) if trials else None
    return Comparison(title, objective, told, runs, ranking, notes=notes)


def list_sweep_runs(sweep_dir: Path) -> list[Path]:
    """Folders of a sweep's runs, in the order of their jobs; without those that were begun anew, and finished there.

    Damaged ones are named and passed over.
    """
    found = (path.parent for path in sweep_dir.glob(f"*/{SUMMARY}"))
    summaries = {}
    for run_dir in sorted(found, key=lambda run_dir: order_value(run_dir.name)):
        try:
            read_config(run_dir), read_overrides(run_dir)
            summaries[run_dir] = read_summary(run_dir)
        except DamagedError as damage:
            pass_over(damage)
    finished = {one.get(IDENTITY) for one in summaries.values() if one["status"] == "finished"} - {None}
    return [
        run_dir
        for run_dir, summary in summaries.items()
        if summary["status"] == "finished" or summary.get(IDENTITY) not in finished
    ]


def read_history(run_dir: Path) -> MetricsHistory | None:
    """A run's curves, if it left them; damaged ones are named and passed over."""
    path = run_dir / HISTORY
    if not os.path.lexists(path):
        return None
    try:
        values = read_stored(path, dict[str, Any])
        try:
            history = MetricsHistory.from_dict(values)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise DamagedError(f"{path} is damaged ({type(error).__name__}: {error}).") from error
        for epoch in history.epoch_metrics:
            take_shape(vars(epoch), EpochMetrics, str(path))
    except DamagedError as damage:
        pass_over(damage)
        return None
    return history


def _describe(run_dir: Path, setting: dict[str, str], config: dict[str, Any], objective: str) -> ComparedRun:
    summary = read_summary(run_dir)
    repetition = {"seed": make_printable(str(config.get("seed", "?")))}
    if config.get("data", {}).get("folds"):
        repetition["data.fold"] = make_printable(str(config["data"].get("fold")))
    is_finished = summary["status"] == "finished"
    figures = {name: read_objective(run_dir, name) for name in dict.fromkeys((objective, *COMPARED))}
    return ComparedRun(
        run_dir=run_dir,
        name="/".join(run_dir.parts[-2:]),
        setting=setting,
        repetition=repetition,
        status=summary["status"],
        figures=figures,
        errors=_list_errors(summary, objective, figures[objective]) if is_finished else {},
        weakness=make_printable(summary.get("validation_weakness", "")),
        label=make_printable(str(summary.get("evaluation", {}).get("label", ""))),
        best_epoch=summary.get("best_epoch"),
        elapsed_s=float(summary.get("elapsed_s", 0.0)),
        mlflow_run_id=summary.get("mlflow_run_id", ""),
    )


def _list_errors(summary: dict[str, Any], objective: str, value: float) -> dict[str, tuple[float, float]]:
    """Errors by file, as far as they are known of each."""
    if math.isnan(value):
        return {}
    by_file = summary.get("held_out_by_file", {})
    if objective in AT_END and by_file:
        found = {
            path: (to_figure(measures.get(objective)), to_figure(measures.get("n_clips")))
            for path, measures in by_file.items()
        }
        judged = {path: (error, n_clips) for path, (error, n_clips) in found.items() if n_clips >= 1}
        if judged and not any(math.isnan(error) for error, _ in judged.values()):
            return judged
    return {"": (value, 1.0)}


def _find_notes(runs: Sequence[ComparedRun], objective: str) -> list[str]:
    notes = []
    ranked = [run for run in runs if run.errors]
    if len(ranked) > 1 and len({run.repetition_words for run in ranked}) == 1:
        notes.append("one seed alone says nothing of how others would have come out: seed=0,1,2 repeats every setting")
    if ranked and any(set(run.errors) == {""} for run in ranked):
        notes.append("the objective is not known file by file: what is said of it rests on seeds alone")
    notes += [f"weak validation: {weakness}" for weakness in dict.fromkeys(run.weakness for run in ranked) if weakness]
    n_missing = len(runs) - len(ranked)
    if n_missing:
        notes.append(f"{n_missing} of {len(runs)} runs did not finish, or lack {objective}, and are not ranked")
    return notes


def _read_overrides(run_dir: Path) -> dict[str, str]:
    pairs = (override.partition("=") for override in read_overrides(run_dir))
    return {
        make_printable(key.lstrip("+~")): make_printable(value.strip("'\"").replace("\\$", "$"))
        for key, _, value in pairs
    }
