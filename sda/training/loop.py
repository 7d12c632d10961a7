"""The training loop: one visible function that learns, judges, and tells what happens as events."""

import math
import time
from collections.abc import Callable, Sequence
from enum import Enum
from functools import partial

import torch

from sda.audio.masking import SpectrogramMask
from sda.audio.mel import Heard, LogMel
from sda.errors import DivergedError
from sda.losses.objective import Objective
from sda.training.adversarial_step import take_step_against
from sda.training.average import follow
from sda.training.config import TrainingConfig
from sda.training.judgement import JudgedChunks, Judgement, enclose_gap, is_better, judge
from sda.training.loader import TrainLoader
from sda.training.memory import fit_into_memory
from sda.training.metric_buffer import StepReader, TakenStep
from sda.training.metrics import (
    EpochMetrics,
    MetricsCallback,
    SaveDue,
    SecondPhaseStarted,
    TrainingCompleteEvent,
    Warned,
    estimate_eta,
)
from sda.training.overfitting import (
    OVERFITTING,
    OVERFITTING_THRESHOLD,
    TOO_EARLY,
    compute_overfitting_gap,
    describe_trend,
    fit_gap_slope,
    judge_gap,
)
from sda.training.schedule import kl_weight, learning_rate_factor
from sda.training.state import Progress, TrainState
from sda.training.step import take_step

SECOND_PHASE_ALLOWANCE = 0.05
"""How much higher the held-out loss may be for the sake of what only discriminators hear: errors 5 % larger."""


class Request(Enum):
    """What is asked of the loop between two steps; the values are the reasons that `SaveDue` gives."""

    NOTHING = ""
    SAVE_NOW = "asked"
    SAVE_IN_TIME = "time"
    STOP = "stopping"


def train(
    state: TrainState,
    *,
    features: LogMel,
    mask: SpectrogramMask,
    objective: Objective,
    train_loader: TrainLoader,
    probe: Sequence[Heard],
    probe_blocks: Sequence[int],
    held_out: Sequence[Heard],
    held_out_blocks: Sequence[int],
    config: TrainingConfig,
    device: torch.device,
    autocast: torch.dtype | None,
    emit: MetricsCallback,
    ask: Callable[[], Request],
    block_steps: int = 1,
) -> bool:
    """Train from where `state` stands to the last epoch.

    The learning rate's cosine spans `config.max_epochs`: a run that is given more epochs later goes on from where the
    longer cosine stands at its step.

    Args:
        state: mutated in place; it can be saved whenever an epoch or `SaveDue` is told, and when this returns.
        mask: draws what the encoder does not get to hear.
        probe: batches of training chunks, un-augmented, always the same.
        probe_blocks: the file of every chunk in them, by number; so files are drawn again, and not chunks, to see how
            sure the gap is.
        held_out: batches of held-out chunks.
        held_out_blocks: the file of every one of these.
        emit: told every event, in order.
        ask: asked after every step and every epoch; `Request.STOP` ends the loop cleanly, in mid-epoch too.
        block_steps: steps that are told together: reading their figures waits for the device.

    Returns:
        Whether training reached its end; false when it was asked to stop.

    Raises:
        DivergedError: `config.max_skipped_steps` steps in a row, or what was judged after an epoch, were not finite.
        TrainingError: the device has no room for a single chunk.
    """
    model, progress = state.model, state.progress
    total_steps = config.max_epochs * len(train_loader)
    if progress.kl_warmup_steps is None:
        progress.kl_warmup_steps = math.ceil(config.kl_warmup_fraction * total_steps)
    if state.adversary is not None and progress.second_phase_step is None:
        begin = math.ceil((1.0 - state.adversary.share) * total_steps)
        progress.second_phase_step = max(progress.kl_warmup_steps, begin)
    reader = StepReader(state, config, total_steps, emit, block_steps)
    clock = _Clock(progress)
    seen, unseen = JudgedChunks(probe, probe_blocks, seed=1), JudgedChunks(held_out, held_out_blocks, seed=0)
    while progress.epoch < config.max_epochs and not _has_stopped_improving(progress, config):
        epoch = progress.epoch + 1
        for chunks in train_loader.deal(epoch, first_batch=progress.batch):
            started = time.perf_counter()
            weight = kl_weight(progress.step, progress.kl_warmup_steps)
            learning_rate = _peak(config, progress) * learning_rate_factor(progress.step, total_steps)
            with torch.no_grad():
                heard = features.hear(*(values.to(device, non_blocking=True) for values in chunks))
            if progress.step == progress.second_phase_step:
                reader.tell()
                emit(SecondPhaseStarted(progress.epoch, progress.step))
            opponent = state.opponent
            step = partial(
                take_step if opponent is None else partial(take_step_against, opponent, step=progress.step),
                model,
                state.optimizer,
                objective,
                heard,
                hidden=mask(heard.log_mel, train_loader.dataset.seed, progress.step) if opponent is None else None,
                kl_weight=weight,
                learning_rate=learning_rate,
                gradient_clip_norm=config.regularization.gradient_clip_norm,
                autocast=autocast,
            )
            figures = fit_into_memory(step, len(heard.waveform), progress, emit)
            progress.step += 1
            follow(state.average, model, progress.step, config.ema_decay)
            if opponent is not None:
                opponent.observe(progress.step, held_out)
            progress.batch += 1
            reader.take(TakenStep(epoch, progress.step, weight, learning_rate, started, figures))
            clock.tick()
            if _attend(ask(), reader, progress, emit):
                return False

        reader.tell()
        on_probe, on_held_out = judge(state.average, objective, seen), judge(state.average, objective, unseen)
        _refuse_what_is_not_finite(epoch, on_probe, on_held_out)
        clock.tick()
        progress.epoch, progress.batch = epoch, 0
        metrics = _describe_epoch(state, on_probe, on_held_out, total_steps, config)
        state.history.add_epoch(metrics)
        for warning in _warn_of_epoch(progress, metrics, config):
            emit(warning)
        emit(metrics)
        if _attend(ask(), reader, progress, emit):
            return False

    emit(_describe_end(state))
    return True


def _attend(request: Request, reader: StepReader, progress: Progress, emit: MetricsCallback) -> bool:
    """Do what was asked for between two steps; true where that is to stop."""
    if request is Request.NOTHING:
        return False
    reader.tell()
    emit(SaveDue(progress.epoch, progress.step, request.value))
    return request is Request.STOP


def _peak(config: TrainingConfig, progress: Progress) -> float:
    """The learning rate's peak, lowered where the run had to go back."""
    return config.learning_rate * progress.learning_rate_scale


def _refuse_what_is_not_finite(epoch: int, *judgements: Judgement) -> None:
    if not all(math.isfinite(judgement.loss) for judgement in judgements):
        raise DivergedError(f"after epoch {epoch} the model's loss is not finite: its parameters are damaged")


def _describe_epoch(
    state: TrainState, on_probe: Judgement, on_held_out: Judgement, total_steps: int, config: TrainingConfig
) -> EpochMetrics:
    """The epoch that was just completed; notes it as the best where it is."""
    progress = state.progress
    weight = kl_weight(progress.step, progress.kl_warmup_steps or 0)
    gap = compute_overfitting_gap(on_probe.loss, on_held_out.loss)
    gap_low, gap_high = enclose_gap(on_probe, on_held_out)
    gap_slope, gap_slope_error = _fit_slope(state, gap, weight)
    is_warm = weight >= 1.0
    elapsed_s = [*(done.elapsed_seconds for done in state.history.epoch_metrics), progress.elapsed_s]
    return EpochMetrics(
        epoch=progress.epoch,
        total_epochs=config.max_epochs,
        train_loss=on_probe.loss,
        val_loss=on_held_out.loss,
        val_recon_loss=on_held_out.recon,
        val_kl_loss=on_held_out.kl,
        kl_divergence=on_held_out.kl_divergence,
        overfitting_gap=gap,
        learning_rate=learning_rate_factor(progress.step, total_steps) * _peak(config, progress),
        eta_seconds=estimate_eta(elapsed_s, config.max_epochs - progress.epoch),
        elapsed_seconds=progress.elapsed_s,
        kl_weight=weight,
        active_units=on_held_out.active_units,
        skipped_steps=progress.skipped_steps,
        is_best=_note_best(progress, on_held_out, weight, is_second_phase=state.last_opponent is not None),
        gap_low=gap_low,
        gap_high=gap_high,
        gap_slope=gap_slope,
        gap_slope_error=gap_slope_error,
        verdict=judge_gap(gap_low, gap_high) if is_warm else TOO_EARLY,
        trend=describe_trend(gap_slope, gap_slope_error) if is_warm else "",
        disguise_strength=None if state.last_opponent is None else state.last_opponent.guard_state.strength,
        discriminator_overfitting=None if state.last_opponent is None else state.last_opponent.guard_state.overfitting,
    )


def _fit_slope(state: TrainState, gap: float, kl_weight: float) -> tuple[float, float]:
    """How the gap changed up to this epoch, and how sure that is; the KL warm-up is left out."""
    epochs = [epoch for epoch in state.history.epoch_metrics if epoch.kl_weight >= 1.0]
    numbers, gaps = [epoch.epoch for epoch in epochs], [epoch.overfitting_gap for epoch in epochs]
    if kl_weight < 1.0:
        return 0.0, 0.0
    return fit_gap_slope([*numbers, state.progress.epoch], [*gaps, gap])


class _Clock:
    """Adds the time that passes to `Progress.elapsed_s`, over all continuations of a run."""

    def __init__(self, progress: Progress):
        self._progress = progress
        self._last = time.perf_counter()

    def tick(self) -> None:
        now = time.perf_counter()
        self._progress.elapsed_s += now - self._last
        self._last = now


def _has_stopped_improving(progress: Progress, config: TrainingConfig) -> bool:
    if progress.second_phase_step is not None and progress.step <= progress.second_phase_step:
        return False  # what is still to come may improve what no longer does
    return config.early_stopping and progress.epochs_since_best >= config.early_stopping_patience


def _note_best(progress: Progress, on_held_out: Judgement, kl_weight: float, *, is_second_phase: bool) -> bool:
    """Whether this epoch is the best so far, by more than noise; none is while the KL term still warms up.

    What a second phase adds is not heard by the loss, and costs a little of it: there, the newest epoch is the best as
    long as its loss is hardly higher than the lowest.
    """
    if kl_weight < 1.0:
        return False
    best = progress.best_val_loss
    if is_second_phase and best is not None and on_held_out.loss < best + SECOND_PHASE_ALLOWANCE:
        progress.best_epoch, progress.epochs_since_best = progress.epoch, 0
        if on_held_out.loss < best:
            progress.best_val_loss, progress.best_replicates = on_held_out.loss, on_held_out.replicates.tolist()
        return True
    if best is not None and not is_better(on_held_out, best, progress.best_replicates):
        progress.epochs_since_best += 1
        return False
    # A number for each draw is all that a comparison needs, however many files and latent dimensions there are.
    progress.best_val_loss, progress.best_replicates = on_held_out.loss, on_held_out.replicates.tolist()
    progress.best_epoch, progress.epochs_since_best = progress.epoch, 0
    return True


def _warn_of_epoch(progress: Progress, metrics: EpochMetrics, config: TrainingConfig) -> list[Warned]:
    """Warnings that are due for the first time; the KL warm-up is waited for."""
    if metrics.kl_weight < 1.0:
        return []
    due = {}
    if metrics.verdict == OVERFITTING:
        due["overfitting"] = (
            f"overfitting: the error on held-out sound is {metrics.overfitting_gap:.0%} larger than on training sound "
            f"({metrics.gap_low:.0%} to {metrics.gap_high:.0%}; threshold {OVERFITTING_THRESHOLD:.0%}); "
            "training goes on"
        )
    if metrics.active_units == 0:
        due["posterior_collapse"] = (
            f"posterior collapse: none of {config.latent_dim} latent dimensions carries information; "
            "the model draws the same sound for everything. Try a longer training.kl_warmup_fraction"
        )
    new = [kind for kind in due if kind not in progress.warned]
    progress.warned += new
    return [Warned(kind, due[kind], metrics.epoch, progress.step) for kind in new]


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
