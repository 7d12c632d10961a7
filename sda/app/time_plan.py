"""Time plan: visits and epochs that fit into `training.minutes` on this machine."""

import math
import time
from dataclasses import replace

import torch

from sda.app.pace import measure_step
from sda.config.running import Suite
from sda.config.schema import TrainRunConfig
from sda.errors import ConfigError
from sda.runs.plan import Plan, count_chunks
from sda.training.arithmetic import AUTOCAST, settle_precision
from sda.training.config import TrainingConfig
from sda.training.device import choose_device
from sda.training.length import TimeBudget, count_steps
from sda.wording import format_duration

ENOUGH_EPOCHS = 6
"""Epochs that a run has at least, where fewer visits to each chunk give it time for them: each is judged."""
LEAST_EXPANSION = 3
"""Extra visits that are kept for the sake of their offsets and variations, however little time there is."""
LEAST_LEARNING_S = 20.0
"""Time for training proper without which a run is not worth its beginning and its end."""
BUILDING_S = 10.0
"""What lies between this plan and the first step: statistics, first previews, a first save."""
JUDGED_CHUNK = 0.5
"""What judging a chunk after an epoch takes, as a share of what learning from it takes."""
LAST_SAVE_S = 5.0
"""What is saved, told and closed at the end, evaluation apart."""
END_FIXED = {Suite.none: 150.0, Suite.small: 1600.0, Suite.full: 4800.0}
"""What an evaluation at the end takes whatever the sounds, as chunks learned from."""
END_PER_CHUNK = {Suite.none: 1.0, Suite.small: 7.0, Suite.full: 22.0}
"""What it takes more for each chunk of sound, on either side."""
MUCH_LONGER = 2.0
"""An evaluation that takes so many times what is kept for it is warned of."""
SAVING = 40.0
"""What saving the best epoch takes, with a preview now and then, as chunks learned from."""

MINUTES = "training.minutes"


def measure_pace(config: TrainRunConfig) -> tuple[torch.device, float]:
    """The device that a run would be trained on, and seconds that a step takes there."""
    device = choose_device(config.training.device)
    return device, measure_step(config, device, AUTOCAST[settle_precision(config.training.precision, device)])


def plan_time(plan: Plan, began: float, step_s: float | None = None) -> tuple[Plan, TimeBudget | None]:
    """Plan a run that is to end in time, from what a step takes here.

    Where there is time for few epochs, each visits its chunks less often, unless how often is yours to say; a run that
    goes on keeps to what it began with, and comes to its end where no time is left.

    Args:
        began: when this process began, by `time.monotonic`.
        step_s: what a step takes; it is measured if not given.

    Returns:
        the plan with its visits and epochs, and what keeps the run to its time; no budget where none is asked for.

    Raises:
        ConfigError: a new run has no time to learn anything.
    """
    config, training = plan.config, plan.config.training
    if not training.minutes:
        return plan, None
    beside_s = time.monotonic() - began + BUILDING_S + LAST_SAVE_S
    if plan.checkpoint is None and 60.0 * training.minutes < beside_s + LEAST_LEARNING_S:
        least = math.ceil((beside_s + 2 * LEAST_LEARNING_S) / 60)
        raise ConfigError(
            f"{MINUTES}={training.minutes:g} leaves no time to learn: beginning and ending alone take about "
            f"{beside_s:.0f} s here. Give at least {MINUTES}={least}."
        )
    step_s = measure_pace(config)[1] if step_s is None else step_s
    _, n_val = _count_chunks(plan)
    pause_steps = (SAVING + 2 * JUDGED_CHUNK * n_val) / _count_chunks_a_step(training)
    beside_s = time.monotonic() - began + BUILDING_S + LAST_SAVE_S
    budget = TimeBudget(60.0 * training.minutes - beside_s, step_s, pause_steps, _count_end_steps(plan))
    end_s = budget.end_steps * step_s
    if end_s > MUCH_LONGER * budget.end_s:
        plan.notices.append(
            f"the evaluation at the end may take about {format_duration(end_s)}: longer than is kept for it. "
            "evaluation.at_end=none leaves it out"
        )
    if plan.checkpoint is not None:  # its epochs were planned for another time, or not at all
        return replace(plan, choices=[one for one in plan.choices if one.key != "training.max_epochs"]), budget
    return _settle(plan, budget), budget


def _count_end_steps(plan: Plan) -> float:
    """About what the evaluation at the end takes, as so many steps."""
    suite = plan.config.evaluation.at_end
    work = END_FIXED[suite] + END_PER_CHUNK[suite] * sum(_count_chunks(plan))
    return work / _count_chunks_a_step(plan.config.training)


def _count_chunks_a_step(training: TrainingConfig) -> float:
    """Chunks, or as much sound in pieces of them, that a step learns from."""
    return training.batch_size * training.crop_duration_s / training.chunk_duration_s


def _count_chunks(plan: Plan) -> tuple[int, int]:
    """Chunks to train on, and held out."""
    split, length_s = plan.split, plan.config.training.chunk_duration_s
    return count_chunks(split.train, plan.scan, length_s), count_chunks(split.val, plan.scan, length_s)


def start_clock(budget: TimeBudget, plan: Plan, began: float) -> None:
    """Now that all is built: what is left of the time, to the second."""
    budget.seconds = 60.0 * plan.config.training.minutes - (time.monotonic() - began) - LAST_SAVE_S


def _settle(plan: Plan, budget: TimeBudget) -> Plan:
    """Put visits and epochs into a new run's configuration, and say whose choice they were."""
    n_pieces = count_chunks(plan.split.train, plan.scan, plan.config.training.crop_duration_s)
    learning_s = budget.seconds - budget.end_s
    training, expansion = plan.config.training, plan.config.regularization.augmentation_expansion
    is_yours = any(
        choice.key.endswith("augmentation_expansion") and choice.layer in ("yours", "experiment")
        for choice in plan.choices
    )
    if not is_yours:
        n_steps = count_steps(learning_s - ENOUGH_EPOCHS * budget.pause_s, budget.step_s, 0.0, 1)
        visits = n_steps * training.batch_size // (ENOUGH_EPOCHS * n_pieces)
        expansion = min(expansion, max(LEAST_EXPANSION, visits - 1))
    steps_per_epoch = math.ceil(n_pieces * (1 + expansion) / training.batch_size)
    total_steps = count_steps(learning_s, budget.step_s, budget.pause_s, steps_per_epoch)
    settled = {
        "training.max_epochs": max(1, math.ceil(total_steps / steps_per_epoch)),
        "regularization.augmentation_expansion": expansion,
    }
    training.max_epochs = settled["training.max_epochs"]
    for section in (plan.config.regularization, training.regularization):
        section.augmentation_expansion = expansion
    resolved = {**plan.resolved, "training": {**plan.resolved["training"], "max_epochs": training.max_epochs}}
    for values in (resolved, resolved["training"]):
        values["regularization"] = {**values["regularization"], "augmentation_expansion": expansion}
    choices = [
        replace(choice, value=settled[choice.key], layer="auto", reason=f"planned for {MINUTES}={training.minutes:g}")
        if settled.get(choice.key, choice.value) != choice.value
        else choice
        for choice in plan.choices
    ]
    return replace(plan, resolved=resolved, choices=choices)
