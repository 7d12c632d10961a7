"""What an epoch came to: its figures, whether it is the best so far, and what is to be warned of."""

import math

from sda.errors import DivergedError
from sda.training.config import TrainingConfig
from sda.training.events import EpochMetrics, Warned
from sda.training.metrics import estimate_eta
from sda.training.overfitting import (
    OVERFITTING,
    OVERFITTING_THRESHOLD,
    TOO_EARLY,
    compute_overfitting_gap,
    describe_trend,
    fit_gap_slope,
    judge_gap,
)
from sda.training.schedule import kl_weight
from sda.training.state import Progress, TrainState
from sda.training.validation import ValidationResult, enclose_gap, is_better
from sda.wording import format_share

ADVERSARIAL_ALLOWANCE = 0.05
"""How much higher the held-out loss may be for the sake of what only discriminators hear: errors 5 % larger."""


def describe_epoch(
    state: TrainState,
    on_train_eval: ValidationResult,
    on_held_out: ValidationResult,
    config: TrainingConfig,
    steps_per_epoch: int,
) -> EpochMetrics:
    """The epoch that was just completed; notes it as the best where it is."""
    progress = state.progress
    weight = kl_weight(progress.step, progress.kl_warmup_steps or 0)
    gap = compute_overfitting_gap(on_train_eval.loss, on_held_out.loss)
    gap_low, gap_high = enclose_gap(on_train_eval, on_held_out)
    gap_slope, gap_slope_error = _fit_slope(state, gap, weight)
    is_warm = weight >= 1.0
    epochs_left = ((progress.total_steps or 0) - progress.step) / steps_per_epoch
    elapsed_s = [*(done.elapsed_seconds for done in state.history.epoch_metrics), progress.elapsed_s]
    return EpochMetrics(
        epoch=progress.epoch,
        total_epochs=progress.epoch + max(0, math.ceil(epochs_left)),
        train_loss=on_train_eval.loss,
        val_loss=on_held_out.loss,
        val_recon_loss=on_held_out.recon,
        val_kl_loss=on_held_out.kl,
        kl_divergence=on_held_out.kl_divergence,
        overfitting_gap=gap,
        learning_rate=progress.learning_rate_factor() * peak_learning_rate(config, progress),
        eta_seconds=estimate_eta(elapsed_s, epochs_left),
        elapsed_seconds=progress.elapsed_s,
        kl_weight=weight,
        active_units=on_held_out.active_units,
        skipped_steps=progress.skipped_steps,
        is_best=note_best(progress, on_held_out, weight, is_adversarial=state.last_adversary is not None),
        gap_low=gap_low,
        gap_high=gap_high,
        gap_slope=gap_slope,
        gap_slope_error=gap_slope_error,
        verdict=judge_gap(gap_low, gap_high) if is_warm else TOO_EARLY,
        trend=describe_trend(gap_slope, gap_slope_error) if is_warm else "",
        disguise_strength=None if state.last_adversary is None else state.last_adversary.augmentation_state.strength,
        discriminator_overfitting=None
        if state.last_adversary is None
        else state.last_adversary.augmentation_state.overfitting,
    )


def refuse_what_is_not_finite(epoch: int, *results: ValidationResult) -> None:
    """See that what was validated after an epoch is a number.

    Raises:
        DivergedError: it is none.
    """
    if not all(math.isfinite(result.loss) for result in results):
        raise DivergedError(f"after epoch {epoch} the model's loss is not finite: its parameters are damaged")


def _fit_slope(state: TrainState, gap: float, kl_weight: float) -> tuple[float, float]:
    """How the gap changed up to this epoch, and how sure that is; the KL warm-up is left out."""
    epochs = [epoch for epoch in state.history.epoch_metrics if epoch.kl_weight >= 1.0]
    numbers, gaps = [epoch.epoch for epoch in epochs], [epoch.overfitting_gap for epoch in epochs]
    if kl_weight < 1.0:
        return 0.0, 0.0
    return fit_gap_slope([*numbers, state.progress.epoch], [*gaps, gap])


def note_best(progress: Progress, on_held_out: ValidationResult, kl_weight: float, *, is_adversarial: bool) -> bool:
    """Whether this epoch is the best so far, by more than noise; none is while the KL term still warms up.

    What an adversarial phase adds is not heard by the loss, and costs a little of it: there, the newest epoch is the
    best as long as its loss is hardly higher than the lowest.
    """
    if kl_weight < 1.0:
        return False
    best = progress.best_val_loss
    if is_adversarial and best is not None and on_held_out.loss < best + ADVERSARIAL_ALLOWANCE:
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


def warn_of_epoch(progress: Progress, metrics: EpochMetrics, config: TrainingConfig) -> list[Warned]:
    """Warnings that are due for the first time; the KL warm-up is waited for."""
    if metrics.kl_weight < 1.0:
        return []
    due = {}
    if metrics.verdict == OVERFITTING:
        excess = format_share(metrics.overfitting_gap, metrics.gap_low, metrics.gap_high)
        due["overfitting"] = (
            f"overfitting: the error on held-out sound is {excess} larger than on training sound, and from "
            f"{format_share(OVERFITTING_THRESHOLD)} on it counts as overfitting; training goes on"
        )
    if metrics.active_units == 0:
        due["posterior_collapse"] = (
            f"posterior collapse: none of {config.latent_dim} latent dimensions carries information; "
            "the model draws the same sound for everything. Try a longer training.kl_warmup_fraction"
        )
    new = [kind for kind in due if kind not in progress.warned]
    progress.warned += new
    return [Warned(kind, due[kind], metrics.epoch, progress.step) for kind in new]


def has_stopped_improving(progress: Progress, config: TrainingConfig) -> bool:
    """Whether there is early stopping, and it is time for it."""
    if progress.second_phase_step is not None and progress.step <= progress.second_phase_step:
        return False  # what is still to come may improve what no longer does
    return config.early_stopping and progress.epochs_since_best >= config.early_stopping_patience


def peak_learning_rate(config: TrainingConfig, progress: Progress) -> float:
    """The learning rate's peak, lowered where the run had to go back."""
    return config.learning_rate * progress.learning_rate_scale
