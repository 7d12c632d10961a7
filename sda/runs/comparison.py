"""Runs side by side: what tells them apart, what each came to, and which setting is best, as data."""

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sda.config.plain import format_plain
from sda.config.schema import TrainRunConfig
from sda.config_field import list_traits
from sda.errors import CheckpointError, DamagedError
from sda.evaluation.ranking import Ranking, Trial, rank
from sda.measures import AT_END, OF_RUN, Measure, describe
from sda.printable import make_printable
from sda.runs.folder import HISTORY, IDENTITY, SUMMARY, read_config, read_overrides, read_summary
from sda.runs.objective import read_objective
from sda.runs.sweep_command import name_setting
from sda.stored import pass_over, read_stored, take_shape, to_figure
from sda.training.events import EpochMetrics
from sda.training.metrics import MetricsHistory

REPEATED = ("seed", "data.fold")
"""Axes along which a setting is repeated: they decide what is held out, not how it is trained."""
_NOT_COMPARED = {key for key, traits in list_traits(TrainRunConfig).items() if not traits.compared}
"""Keys that tell no two runs apart in what they learned."""


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
    """Those that finished and have the objective first, best first."""
    ranking: Ranking | None
    """Nothing where no run finished."""
    notes: list[str] = field(default_factory=list)
    """What to bear in mind."""

    @property
    def ranked(self) -> list[ComparedRun]:
        """Runs that have the objective."""
        return [run for run in self.runs if run.errors]

    @property
    def measure(self) -> Measure:
        """How the objective is called and written."""
        return describe(self.objective)

    @property
    def objective_words(self) -> str:
        """What the runs are ranked by, such as `MR-STFT of held-out sound`."""
        return f"{self.measure.title} of held-out sound" if self.objective in AT_END else self.measure.title

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
    shortened = {key: shorten(values) for key, values in axes.items() if key not in REPEATED}
    told = {key: list(short.values()) for key, short in shortened.items()}
    runs = []
    for run_dir, config, given in zip(run_dirs, configs, overrides, strict=True):
        setting = {key: short[_value_of(key, config, given)] for key, short in shortened.items()}
        runs.append(_describe(run_dir, setting, config, objective))
    runs.sort(key=lambda run: (not run.errors, run.figures[objective] if run.errors else 0.0, str(run.run_dir)))
    trials = [Trial(run.setting_words, run.repetition_words, run.errors) for run in runs if run.errors]
    ranking = rank(trials, lowest=0.0 if objective in AT_END else -math.inf) if trials else None
    return Comparison(title, objective, told, runs, ranking, _find_notes(runs, configs, objective))


def list_sweep_runs(sweep_dir: Path) -> list[Path]:
    """Folders of a sweep's runs, in the order of their jobs; without those that were begun anew, and finished there.

    Damaged ones are named and passed over.
    """
    found = (path.parent for path in sweep_dir.glob(f"*/{SUMMARY}"))
    summaries = {}
    for run_dir in sorted(found, key=lambda run_dir: _order(run_dir.name)):
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


def find_axes(configs: Sequence[dict[str, Any]], overrides: Sequence[dict[str, str]]) -> dict[str, list[str]]:
    """The given keys in which runs differ, with their values: numbers in their order, words in that of the runs.

    >>> find_axes([{"seed": 0}, {"seed": 1}], [{"seed": "0", "model": "mel_vae"}, {"seed": "1", "model": "mel_vae"}])
    {'seed': ['0', '1']}
    """
    keys = dict.fromkeys(key for given in overrides for key in given)
    axes = {}
    for key in keys:
        pairs = zip(configs, overrides, strict=True)
        found = list(dict.fromkeys(_value_of(key, config, given) for config, given in pairs))
        values = sorted(found, key=lambda value: _order(value)[:2])  # words stay in the order of the runs
        if len(values) > 1 and key not in _NOT_COMPARED and not key.startswith(("hydra.", "hydra/")):
            axes[key] = values
    return axes


def shorten(values: Sequence[str]) -> dict[str, str]:
    """Values as they are shown: long numbers rounded, folders by their last part, where that leaves them apart.

    >>> shorten(["0.00964026132896019", "0.1"]), shorten(["0.123456", "0.123457"])
    ({'0.00964026132896019': '0.00964', '0.1': '0.1'}, {'0.123456': '0.123456', '0.123457': '0.123457'})
    >>> shorten(["/home/ada/rain", "/home/ada/wind"])
    {'/home/ada/rain': 'rain', '/home/ada/wind': 'wind'}
    """
    short = {value: f"{float(value):.3g}" if _is_long_number(value) else Path(value).name or value for value in values}
    return short if len(set(short.values())) == len(values) else {value: value for value in values}


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


def _find_notes(runs: Sequence[ComparedRun], configs: Sequence[dict[str, Any]], objective: str) -> list[str]:
    notes = []
    ranked = [run for run in runs if run.errors]
    if len(ranked) > 1 and len({run.repetition_words for run in ranked}) == 1:
        notes.append("one seed alone says nothing of how others would have come out: seed=0,1,2 repeats every setting")
    if objective == "best_val_loss":
        losses = {format_plain(config.get("model", {})) for config in configs}
        if len(losses) > 1:
            notes.append("models or their losses differ, so that losses cannot be compared: rank by mr_stft, say")
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


def _value_of(key: str, config: dict[str, Any], given: dict[str, str]) -> str:
    """A key's value in a run: as it was given, or as it came out where others were given it."""
    if key in given:
        return given[key]
    value: Any = config
    for part in key.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return make_printable(str(value.get("name", "?") if isinstance(value, dict) else value))


def _is_long_number(text: str) -> bool:
    is_word, _, _ = _order(text)
    return not is_word and len(text) > 6


def _order(text: str) -> tuple[bool, float, str]:
    """Numbers in their order, before words in theirs."""
    try:
        return False, float(text), text
    except ValueError:
        return True, 0.0, text
