"""The training loop: one visible function that learns, validates, and tells what happens as events."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

import torch
from torch import Tensor

from sda.audio.masking import SpectrogramMask
from sda.audio.mel import AudioFeatures, LogMel
from sda.losses.objective import Objective
from sda.training.average import follow
from sda.training.config import TrainingConfig
from sda.training.epoch import (
    describe_epoch,
    has_stopped_improving,
    peak_learning_rate,
    refuse_what_is_not_finite,
    warn_of_epoch,
)
from sda.training.events import MetricsCallback, PreviewDue, SaveDue, SecondPhaseStarted, TrainingCompleteEvent
from sda.training.length import RunLength
from sda.training.loader import TrainLoader
from sda.training.memory import count_parts, double_parts, refuse_single_chunk
from sda.training.metric_buffer import MetricBuffer, TakenStep
from sda.training.schedule import kl_weight
from sda.training.state import Progress, TrainState
from sda.training.step import StepFigures, take_step
from sda.training.validation import ValidationChunks, validate


class Request(Enum):
    """What is asked of the loop between two steps; the values are the reasons that events give."""

    NOTHING = ""
    SAVE_NOW = "asked"
    SAVE_IN_TIME = "time"
    STOP = "stopping"
    PREVIEW = "preview"


@dataclass(frozen=True)
class TrainingSetup:
    """Everything that is trained with, ready to use."""

    state: TrainState
    """Mutated in place; it can be saved whenever an epoch or `SaveDue` is told, and when `train` returns."""
    features: LogMel
    masking: SpectrogramMask
    """Draws what the encoder does not get to hear."""
    objective: Objective
    train_loader: TrainLoader
    train_eval: ValidationChunks
    """Training chunks, un-augmented, always the same."""
    held_out: ValidationChunks
    config: TrainingConfig
    length: RunLength
    """When the run is over."""
    device: torch.device
    autocast: torch.dtype | None
    """The type that the forward pass is computed in; none is the parameters' own."""
    block_steps: int = 1
    """Steps that are told together: reading their figures waits for the device."""


def train(setup: TrainingSetup, emit: MetricsCallback, ask: Callable[[], Request]) -> bool:
    """Train from where the state stands to the last epoch, or as long as there is time.

    The learning rate's cosine spans the whole run: one that is given more epochs, or time, later goes on from where
    the longer cosine stands at its step. Where there is no time for a whole last epoch, it ends in the middle.

    Args:
        emit: told every event, in order.
        ask: asked after every step and every epoch; `Request.STOP` ends the loop cleanly, in mid-epoch too.

    Returns:
        Whether training reached its end; false when it was asked to stop.

    Raises:
        DivergedError: `config.max_skipped_steps` steps in a row, or a validation after an epoch, were not finite.
        TrainingError: the device has no room for a single chunk.
    """
    state, progress, config, length = setup.state, setup.state.progress, setup.config, setup.length
    steps_per_epoch = len(setup.train_loader)
    clock = _Clock(progress)
    _settle_phases(setup)
    buffer = MetricBuffer(state, config, emit, setup.block_steps)
    while not _is_over(setup) and not has_stopped_improving(progress, config):
        epoch = progress.epoch + 1
        clock.tick()
        length.begin_epoch(progress, steps_per_epoch)
        for chunks in setup.train_loader.deal(epoch, first_batch=progress.batch):
            if length.is_spent(progress, steps_per_epoch):
                break  # there is no time for the rest of the epoch
            started = time.perf_counter()
            if progress.step == progress.second_phase_step:
                buffer.flush()
                emit(SecondPhaseStarted(progress.epoch, progress.step))
            weight = kl_weight(progress.step, progress.kl_warmup_steps or 0)
            learning_rate = peak_learning_rate(config, progress) * progress.learning_rate_factor()
            figures = _learn(setup, _extract(setup, chunks), weight, learning_rate, emit)
            total_steps = progress.total_steps or progress.step
            buffer.add(TakenStep(epoch, progress.step, total_steps, weight, learning_rate, started, figures))
            clock.tick()
            if _attend(ask(), buffer, progress, emit):
                return False
            length.end_step(progress, steps_per_epoch)

        length.end_epoch(progress, steps_per_epoch)
        buffer.flush()
        on_train_eval = validate(state.average, setup.objective, setup.train_eval)
        on_held_out = validate(state.average, setup.objective, setup.held_out)
        refuse_what_is_not_finite(epoch, on_train_eval, on_held_out)
        clock.tick()
        progress.epoch, progress.batch = epoch, 0
        metrics = describe_epoch(state, on_train_eval, on_held_out, config, steps_per_epoch)
        state.history.add_epoch(metrics)
        for warning in warn_of_epoch(progress, metrics, config):
            emit(warning)
        emit(metrics)
        if _attend(ask(), buffer, progress, emit):
            return False

    emit(_describe_end(state))
    return True


def _is_over(setup: TrainingSetup) -> bool:
    progress = setup.state.progress
    return progress.batch == 0 and setup.length.is_spent(progress, len(setup.train_loader))


def _settle_phases(setup: TrainingSetup) -> None:
    """How long the run is; at the first step, how long the KL term warms up and when the adversarial phase begins."""
    progress, adversary = setup.state.progress, setup.state.adversary
    setup.length.plan(progress, len(setup.train_loader))
    total_steps = progress.total_steps or 1
    if progress.kl_warmup_steps is None:
        progress.kl_warmup_steps = math.ceil(setup.config.kl_warmup_fraction * total_steps)
    if adversary is not None and progress.second_phase_step is None:
        begin = math.ceil((1.0 - adversary.share) * total_steps)
        progress.second_phase_step = max(progress.kl_warmup_steps, begin)


@torch.no_grad()
def _extract(setup: TrainingSetup, chunks: tuple[Tensor, ...]) -> AudioFeatures:
    return setup.features.extract(*(values.to(setup.device, non_blocking=True) for values in chunks))


def _learn(
    setup: TrainingSetup, inputs: AudioFeatures, kl_weight: float, learning_rate: float, emit: MetricsCallback
) -> StepFigures:
    """Take a step; where the device has no room for it, take it in twice as many parts, and so from now on."""
    state, progress, n_chunks = setup.state, setup.state.progress, len(inputs.waveform)
    adversary = state.active_adversary
    mask = setup.masking(inputs.log_mel, setup.train_loader.dataset.seed, progress.step) if adversary is None else None
    while True:
        adversarial = None if adversary is None else adversary.begin(progress.step, n_chunks)
        n_parts = count_parts(progress, n_chunks)
        try:
            figures = take_step(
                state.model,
                state.optimizer,
                setup.objective,
                inputs,
                mask=mask,
                kl_weight=kl_weight,
                learning_rate=learning_rate,
                gradient_clip_norm=setup.config.regularization.gradient_clip_norm,
                autocast=setup.autocast,
                adversarial=adversarial,
                n_parts=n_parts,
            )
            break
        except torch.OutOfMemoryError as error:
            refuse_single_chunk(n_parts, n_chunks, error)
        double_parts(progress, n_chunks, emit)
    progress.step += 1
    progress.batch += 1
    follow(state.average, state.model, progress.step, setup.config.ema_decay)
    if adversary is not None and adversarial is not None:
        adversary.observe(adversarial, progress.step, setup.held_out.batches)
    return figures


def _attend(request: Request, buffer: MetricBuffer, progress: Progress, emit: MetricsCallback) -> bool:
    """Do what was asked for between two steps; true where that is to stop."""
    if request is Request.NOTHING:
        return False
    buffer.flush()
    if request is Request.PREVIEW:
        emit(PreviewDue(progress.epoch, progress.step))
        return False
    emit(SaveDue(progress.epoch, progress.step, request.value))
    return request is Request.STOP


class _Clock:
    """Adds the time that passes to `Progress.elapsed_s`, over all continuations of a run."""

    def __init__(self, progress: Progress):
        self._progress = progress
        self._last = time.perf_counter()

    def tick(self) -> None:
        now = time.perf_counter()
        self._progress.elapsed_s += now - self._last
        self._last = now


def _describe_end(state: TrainState) -> TrainingCompleteEvent:
    last, progress = state.history.epoch_metrics[-1], state.progress
    return TrainingCompleteEvent(
        total_epochs=progress.epoch,
        total_time_s=progress.elapsed_s,
        final_train_loss=last.train_loss,
        final_val_loss=last.val_loss,
        best_val_loss=last.val_loss if progress.best_val_loss is None else progress.best_val_loss,
        best_epoch=progress.best_epoch,
    )
