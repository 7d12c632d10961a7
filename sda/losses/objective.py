"""What every objective has in common: errors that can be averaged, and a score of averages.

A score is a function of errors averaged over chunks, not itself an average over chunks: so a batch may be computed in
parts, and the files of a judgement may be drawn again, without computing anything twice.

Letters in the shapes: `B` batch, `T` samples, `E` kinds of error, `D` latent dimensions, `…` nothing or chunks or
batches.
"""

from typing import NamedTuple, Protocol

from torch import Tensor

from sda.models.latents import Reconstruction, kl_to_standard_normal

ACTIVE_UNIT_VARIANCE = 0.01
"""A dimension counts as active when its posterior mean varies more than this over chunks; free bits cannot fake it."""


class Errors(NamedTuple):
    """What went wrong, of single chunks or as means over some, which can be averaged again before they are scored."""

    distances: Tensor
    """How far the output is from what was heard, in each of the objective's own ways, `[…, E]`."""
    kl_by_dimension: Tensor
    """KL of each latent dimension from the prior, nats per latent, `[…, D]`."""
    mean: Tensor
    """Posterior mean of each dimension, `[…, D]`."""
    square_of_mean: Tensor
    """Square of the posterior mean of each dimension, `[…, D]`."""


class LossTerms(NamedTuple):
    """The objective's parts in nats per cell, `[…]`."""

    recon: Tensor
    """Negative log-likelihood, up to a constant."""
    kl: Tensor
    """KL after free bits."""

    def total(self, kl_weight: float = 1.0) -> Tensor:
        """The objective at a KL weight in [0, 1]."""
        return self.recon + kl_weight * self.kl


class Objective(Protocol):
    """What a network is trained to lower."""

    def measure_each(self, result: Reconstruction, waveform: Tensor, *, draw: bool = False) -> Errors:
        """The errors of each chunk, beside the waveform `[B, T]` that it was heard as.

        Args:
            draw: measure a part of what there is to measure, drawn from torch's global generator; the same on average,
                and sooner done.
        """
        ...

    def score(self, errors: Errors) -> LossTerms:
        """The terms for errors averaged over a batch, over several, or over each of many drawn ones."""
        ...


def measure_batch(objective: Objective, result: Reconstruction, waveform: Tensor, *, draw: bool = False) -> Errors:
    """The errors of a batch, means over its chunks; `draw` as in `measure_each`."""
    return Errors(*(values.mean(dim=0) for values in objective.measure_each(result, waveform, draw=draw)))


def describe_posterior(result: Reconstruction) -> dict[str, Tensor]:
    """The fields of `Errors` that say what the latents hold, of each chunk; averages along time."""
    mean = result.posterior.mean
    parts = {
        "kl_by_dimension": kl_to_standard_normal(result.posterior),
        "mean": mean,
        "square_of_mean": mean.square(),
    }
    return {name: values.mean(dim=2) if values.dim() == 3 else values for name, values in parts.items()}


def count_active_units(errors: Errors) -> int:
    """Latent dimensions whose posterior mean depends on what is heard.

    Reference:
        Burda, Grosse & Salakhutdinov, "Importance Weighted Autoencoders", ICLR 2016, section 5.2.
    """
    return int((errors.square_of_mean - errors.mean.square() > ACTIVE_UNIT_VARIANCE).sum())
