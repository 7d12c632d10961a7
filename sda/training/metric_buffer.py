"""Metric buffering: steps are told in blocks, as reading one back waits until the device has done all it was asked."""

import time
from typing import NamedTuple

from sda.errors import DivergedError
from sda.training.config import TrainingConfig
from sda.training.events import MetricsCallback, StepMetrics, Warned
from sda.training.state import TrainState
from sda.training.step import StepFigures, StepResult, read_back


class TakenStep(NamedTuple):
    """A step whose figures are still on the device."""

    epoch: int
    step: int
    total_steps: int
    """As it was planned then."""
    kl_weight: float
    learning_rate: float
    started: float
    """When it began, by `time.perf_counter`."""
    figures: StepFigures


class MetricBuffer:
    """Keeps steps until a block is full, then counts and tells them in order.

    Args:
        state: its history and its count of skipped steps follow what is told.
        block_steps: steps told together, at least 1.
    """

    def __init__(self, state: TrainState, config: TrainingConfig, emit: MetricsCallback, block_steps: int):
        self._state = state
        self._config = config
        self._emit = emit
        self._block_steps = block_steps
        self._waiting: list[TakenStep] = []
        self._n_skipped_in_a_row = 0

    def add(self, step: TakenStep) -> None:
        """Keep a step, and tell the block that it completes.

        Raises:
            DivergedError: as `flush`.
        """
        self._waiting.append(step)
        if len(self._waiting) >= self._block_steps:
            self.flush()

    def flush(self) -> None:
        """Tell every step that is waiting.

        Raises:
            DivergedError: `config.max_skipped_steps` steps in a row were not finite.
        """
        if not self._waiting:
            return
        steps, self._waiting = self._waiting, []
        results = read_back([step.figures for step in steps])
        step_time_s = (time.perf_counter() - steps[0].started) / len(steps)
        for step, result in zip(steps, results, strict=True):
            if result.finite:
                self._n_skipped_in_a_row = 0
                metrics = self._describe(step, result, step_time_s)
                self._state.history.add_step(metrics)
                self._emit(metrics)
            else:
                self._n_skipped_in_a_row += 1
                self._state.progress.skipped_steps += 1
                self._emit(self._warn(step, result))
                self._refuse_to_go_on(step)

    def _describe(self, step: TakenStep, result: StepResult, step_time_s: float) -> StepMetrics:
        return StepMetrics(
            epoch=step.epoch,
            step=step.step,
            total_steps=step.total_steps,
            train_loss=result.loss,
            recon_loss=result.recon,
            kl_loss=result.kl,
            kl_weight=step.kl_weight,
            learning_rate=step.learning_rate,
            step_time_s=step_time_s,
            gradient_norm=result.gradient_norm,
            noise_loss=result.noise or None,
            adversarial_loss=result.adversarial,
            discriminator_loss=result.discriminator,
        )

    def _warn(self, step: TakenStep, result: StepResult) -> Warned:
        return Warned(
            "step_skipped",
            f"step {step.step} was skipped: loss {result.loss:g}, gradient norm {result.gradient_norm:g} "
            f"({self._state.progress.skipped_steps} skipped so far)",
            step.epoch,
            step.step,
        )

    def _refuse_to_go_on(self, step: TakenStep) -> None:
        if self._n_skipped_in_a_row >= self._config.max_skipped_steps:
            raise DivergedError(
                f"{self._n_skipped_in_a_row} steps in a row had a loss or gradient that is not finite, the last at "
                f"step {step.step}"
            )
