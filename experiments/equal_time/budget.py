"""Fitting a training into CPU time: what an epoch costs is tried first, then as many are trained as there is time for.

The learning rate falls along a cosine over all epochs, so a training cannot just be cut off: its length has to be known
before it starts.
"""

import math
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from experiments.equal_time.metered import Told, follow_training

TRIED_S = 20.0
"""CPU time spent on finding out what a step costs, where no epoch is over sooner."""
SLACK = 0.02
"""An epoch more or less is cut or stretched by visits until the time fits this well."""


@dataclass(frozen=True)
class Cost:
    """What a training costs, in CPU time."""

    step_s: float
    """With its share of what is done after every epoch, where an epoch was seen."""
    n_visits: int
    """Visits to every chunk in an epoch."""
    steps_per_epoch: int


@dataclass(frozen=True)
class Trained:
    """A training that came to its end."""

    run_dir: Path
    n_epochs: int
    n_steps: int
    n_parameters: int
    cpu_s: float
    """From the end of the first step to the end of the last epoch, judging included."""


def train_for(cpu_s: float, data: Path, run_dir: Path, overrides: Sequence[str]) -> Trained:
    """Train for about so much CPU time."""
    cost = measure_cost(data, run_dir.with_name(run_dir.name + "_trial"), overrides)
    n_epochs, n_visits = fit(cost, cpu_s)
    length = [f"training.max_epochs={n_epochs}", f"regularization.augmentation_expansion={n_visits - 1}"]
    return _finish(list(follow_training(data, run_dir, [*overrides, *length])), run_dir, n_epochs)


def measure_cost(data: Path, run_dir: Path, overrides: Sequence[str]) -> Cost:
    """Train a little, and see what it takes; nothing of it stays."""
    first, started = None, None
    told = follow_training(data, run_dir, overrides)
    for event, cpu_s in told:
        if event["event"] == "RunStarted":
            started = event
        if event["event"] == "StepMetrics" and first is None:
            first = Told(event, cpu_s)
        is_epoch = event["event"] == "EpochMetrics"
        if first is not None and (is_epoch or (event["event"] == "StepMetrics" and cpu_s - first.cpu_s > TRIED_S)):
            n_steps = started["steps_per_epoch"] if is_epoch else event["step"]
            step_s = (cpu_s - first.cpu_s) / (n_steps - first.event["step"])
            break
    told.close()
    values = _read_visits(run_dir)
    shutil.rmtree(run_dir)
    return Cost(step_s, values, started["steps_per_epoch"])


def fit(cost: Cost, cpu_s: float) -> tuple[int, int]:
    """Epochs, and visits to every chunk in each, that take this long; visits change as little as possible.

    >>> fit(Cost(step_s=0.1, n_visits=10, steps_per_epoch=100), cpu_s=250.0)
    (25, 10)
    >>> fit(Cost(step_s=0.1, n_visits=10, steps_per_epoch=1000), cpu_s=250.0)
    (2, 12)
    """
    n_steps = cpu_s / cost.step_s
    steps_per_visit = cost.steps_per_epoch / cost.n_visits
    fits = [(epochs, max(2, round(n_steps / epochs / steps_per_visit))) for epochs in range(1, _most(n_steps, cost))]

    def miss(length: tuple[int, int]) -> tuple[bool, float]:
        epochs, visits = length
        share = abs(epochs * visits * steps_per_visit / n_steps - 1)
        return share > SLACK, abs(math.log(visits / cost.n_visits))

    return min(fits, key=miss)


def _most(n_steps: float, cost: Cost) -> int:
    return 2 + max(1, math.ceil(1.5 * n_steps / cost.steps_per_epoch))


def _read_visits(run_dir: Path) -> int:
    from omegaconf import OmegaConf

    return int(OmegaConf.load(run_dir / ".hydra" / "config.yaml").regularization.augmentation_expansion) + 1


def _finish(told: Sequence[Told], run_dir: Path, n_epochs: int) -> Trained:
    by_kind: dict[str, list[Told]] = {}
    for one in told:
        by_kind.setdefault(one.event["event"], []).append(one)
    steps, epochs = by_kind["StepMetrics"], by_kind["EpochMetrics"]
    return Trained(
        run_dir=run_dir,
        n_epochs=n_epochs,
        n_steps=steps[-1].event["step"],
        n_parameters=by_kind["RunStarted"][0].event["n_parameters"],
        cpu_s=epochs[-1].cpu_s - steps[0].cpu_s,
    )
