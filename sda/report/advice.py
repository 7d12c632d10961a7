"""Advice: what to do after a verdict, as a command that can be pasted from where the run stands."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sda.config.arguments import quote_value
from sda.config.model import PriorName
from sda.config.schema import TrainRunConfig
from sda.shell import name_command
from sda.training.presets import OverfittingPreset

N_FOLDS = 4
NEED_MORE = ("underfit", "unlike", "silent", "deformed")
"""What more training may mend."""
NEED_GUARD = ("replaying", "overfit")
"""What more of a guard against storing may."""
LEAST_RAISED, RAISED_BY = 0.3, 3.0
"""Novelty is advised to be raised to, or by, so much: at 0.1 a handful of recordings are quoted a third of the time, at
0.3 hardly."""


@dataclass(frozen=True)
class Standing:
    """Where a run stands: what can still be done with it."""

    run_dir: Path
    config: TrainRunConfig
    overrides: Sequence[str]
    """What it was given on the command line, such as `preset=conservative`."""
    epoch: int
    """Epochs of the state that was judged."""
    n_trained: int
    """Epochs trained."""
    is_finished: bool
    n_recordings: int
    """Groups of files that share no recording."""
    is_own: bool = True
    """Whether this installation began it: another's is generated from, and no command repeats what it was given."""


def suggest_command(case: str, standing: Standing) -> str:
    """The command for what decided a verdict, see `sda.evaluation.verdict.Verdict.case`."""
    if standing.is_own and case in NEED_MORE:
        return _suggest_more(case, standing)
    prior = standing.config.prior
    is_mosaic = prior.choose(standing.config.model.name) is PriorName.mosaic
    if case == "replaying" and is_mosaic and prior.novelty < 1.0:
        raised = min(1.0, max(LEAST_RAISED, RAISED_BY * prior.novelty))  # a mosaic quotes however long it was trained
        return f"{name_generation(standing.run_dir)} novelty={raised:g}"
    if standing.is_own and case in NEED_GUARD:
        return name_another(standing, _choose_guard(case, standing))
    if (
        standing.is_own
        and case == "cannot tell"
        and not standing.config.data.folds
        and standing.n_recordings >= N_FOLDS
    ):
        folds = ",".join(str(fold) for fold in range(N_FOLDS))
        return name_another(standing, f"data.folds={N_FOLDS}", f"data.fold={folds}", many=True)
    return name_generation(standing.run_dir)


def _suggest_more(case: str, standing: Standing) -> str:
    """More training, where more is left or may be given; where held-out sound got no better, another way."""
    training = standing.config.training
    if not standing.is_finished:
        return name_continuation(standing.run_dir)
    if training.minutes:
        return name_continuation(standing.run_dir, f"training.minutes={2 * training.minutes:g}")
    if standing.n_trained >= training.max_epochs:
        return name_continuation(standing.run_dir, f"training.max_epochs={2 * training.max_epochs}")
    if case == "underfit":
        return name_another(standing, f"training.learning_rate={2 * training.learning_rate:g}")
    return f"{name_generation(standing.run_dir)} mode=interpolate"


def _choose_guard(case: str, standing: Standing) -> str:
    """The key that guards best against storing, of those that the run did not have."""
    if standing.config.preset.guard is not OverfittingPreset.CONSERVATIVE:
        return "preset=conservative"
    if case == "replaying":
        return _halve_length(standing)
    return f"regularization.augmentation_expansion={2 * max(1, standing.config.regularization.augmentation_expansion)}"


def _halve_length(standing: Standing) -> str:
    minutes = standing.config.training.minutes
    return f"training.minutes={minutes / 2:g}" if minutes else f"training.max_epochs={max(1, standing.epoch // 2)}"


def name_generation(run_dir: Path) -> str:
    """The command that makes new sounds of a run."""
    return f"{name_command('generate')} {_spell('run', run_dir)} n=8 duration_s=10"


def name_evaluation(run_dir: Path) -> str:
    """The command that judges a run in full."""
    return f"{name_command('evaluate')} {_spell('run', run_dir)}"


def name_continuation(run_dir: Path, more: str = "") -> str:
    """The command that goes on with a run.

    Args:
        more: epochs or time that it is given, such as `training.minutes=20`; what it has left if not given.
    """
    return f"{name_command('train')} {_spell('resume', run_dir)}{' ' if more else ''}{more}"


def name_another(standing: Standing, *changes: str, many: bool = False) -> str:
    """The command for a new run like this one but for some keys.

    Args:
        many: whether a key has several values, each for a run of its own.
    """
    replaced = {change.partition("=")[0] for change in changes} | {"data.root"}
    kept = [one for one in standing.overrides if not _is_replaced(one, replaced)]
    words = [shlex.quote(one) for one in (*kept, *changes)]
    return " ".join(
        [name_command("train"), *(["-m"] if many else []), _spell("data.root", standing.config.data.root), *words]
    )


def _is_replaced(override: str, keys: set[str]) -> bool:
    """Whether another run is not to be given this: a key that changes, or a place that is this run's own."""
    key = override.partition("=")[0].lstrip("+~")
    return key in keys or key.startswith(("hydra.", "hydra/", "sweep."))


def _spell(key: str, path: Path | str) -> str:
    """A path as an argument that the shell, and then Hydra, take for what it is."""
    value = str(path)
    return shlex.quote(f"{key}={value}" if value[:1] not in "'\"" else f"{key}={quote_value(value)}")


def format_advice(advice: str, command: str) -> list[str]:
    """What to try next, and below it the command alone, so that it can be pasted."""
    return [f"  try next: {advice}", *([f"    {command}"] if command else [])]
