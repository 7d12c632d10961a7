"""The interface of objectives: components that can be averaged, and a score of averages.

A score is a function of errors averaged over chunks, not itself an average over chunks: so a batch may be computed in
parts, and the files of a judgement may be drawn again, without computing anything twice.

Errors are means over the sound of a chunk alone, and chunks weigh as much as they hold of it. So the loss is the mean
over all sound, whatever the length of the chunks that it was cut into, and nothing is won by padding.

Letters in the shapes: `B` batch, `T` samples, `E` kinds of error, `D` latent dimensions, `…` nothing or chunks or
batches.
"""

from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from sda.audio.mel import AudioFeatures
from sda.audio.span import Span, find_latents
from sda.models.latents import Reconstruction, kl_to_standard_normal

ACTIVE_UNIT_VARIANCE = 0.01
"""A dimension counts as active when its posterior mean varies more than this over chunks; free bits cannot fake it."""


class LossComponents(NamedTuple):
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

    def measure_each(
        self, result: Reconstruction, waveform: Tensor, span: Span | None = None, *, draw: bool = False
    ) -> LossComponents:
        """The errors of each chunk, beside the waveform `[B, T]` that it was heard as.

        Args:
            span: what of the chunks is sound; all of it if not given.
            draw: measure a part of what there is to measure, drawn from torch's global generator; the same on average,
                and sooner done.
        """
        ...

    def score(self, errors: LossComponents) -> LossTerms:
        """The terms for errors averaged over a batch, over several, or over each of many drawn ones."""
        ...

    def score_noise(self, result: Reconstruction, inputs: AudioFeatures) -> Tensor:
        """What is to be lowered besides by the noise that was drawn, a single number; 0 where none was."""
        ...


def measure_batch(
    objective: Objective, result: Reconstruction, inputs: AudioFeatures, *, draw: bool = False
) -> LossComponents:
    """The errors of a batch, means over its sound; `draw` as in `measure_each`."""
    return average(objective.measure_each(result, inputs.waveform, inputs.span, draw=draw), inputs.weight)


def average(errors: LossComponents, weight: Tensor) -> LossComponents:
    """The errors of chunks, `[B, …]`, as one: means weighted by `[B]`."""
    shares = weight / weight.sum()
    return LossComponents(*(torch.tensordot(shares.to(values.dtype), values, dims=1) for values in errors))


def describe_posterior(result: Reconstruction, span: Span | None = None) -> dict[str, Tensor]:
    """The fields of `LossComponents` that say what the latents hold, of each chunk; means over what is sound of it."""
    mean = result.posterior.mean
    parts = {
        "kl_by_dimension": kl_to_standard_normal(result.posterior),
        "mean": mean,
        "square_of_mean": mean.square(),
    }
    if mean.dim() == 2:
        return parts
    if span is None or result.stride is None:
        return {name: values.mean(dim=2) for name, values in parts.items()}
    inside = find_latents(span.frames, result.stride)[:, None].expand(-1, mean.shape[1], -1)
    return {name: (values * inside).sum(dim=2) / inside.sum(dim=2) for name, values in parts.items()}


def count_active_units(errors: LossComponents) -> int:
    """Latent dimensions whose posterior mean depends on what is heard.

    Reference:
        Burda, Grosse & Salakhutdinov, "Importance Weighted Autoencoders", ICLR 2016, section 5.2.
    """
    return int((errors.square_of_mean - errors.mean.square() > ACTIVE_UNIT_VARIANCE).sum())
