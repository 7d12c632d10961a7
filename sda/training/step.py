"""One optimiser step."""

import math
from collections.abc import Sequence
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from sda.audio.mel import AudioFeatures
from sda.losses.objective import LossComponents, LossTerms, Objective, measure_batch
from sda.models.autoencoder import Autoencoder
from sda.models.latents import Reconstruction
from sda.training.rng_state import load_generators, save_generators

NOISE_WEIGHT = 0.1
"""Of what noise is to lower. What it reaches is reached by nothing else, and Adam takes no notice of a weight: it only
keeps its gradient out of the norm that all are clipped by."""


class AdversarialStep(Protocol):
    """What a step of the adversarial phase needs beside the objective."""

    def generator_loss(self, result: Reconstruction, waveform: Tensor) -> Tensor:
        """What is added to the objective for the next part of the batch, a mean over its items.

        Told each part once, in order: what the network made of it, and the waveforms that it heard, `[B, T]`.
        """
        ...

    def update(self, learning_rate: float, gradient_clip_norm: float) -> Tensor:
        """The discriminators' own step, once the decoder's is taken. → their loss, a single number."""
        ...


class StepFigures(NamedTuple):
    """What one step came to, each a single number on the model's device."""

    loss: Tensor
    recon: Tensor
    kl: Tensor
    gradient_norm: Tensor
    noise: Tensor
    adversarial: Tensor | None = None
    discriminator: Tensor | None = None


class StepResult(NamedTuple):
    """What one step came to, as plain numbers."""

    loss: float
    recon: float
    kl: float
    gradient_norm: float
    """L2 norm before clipping."""
    noise: float
    """Energy score of what was drawn, with a weight of its own beside the loss."""
    adversarial: float | None = None
    """What discriminators added to the loss; nothing outside the adversarial phase."""
    discriminator: float | None = None
    """What the discriminators themselves lower."""

    @property
    def finite(self) -> bool:
        """Whether the step was taken."""
        return math.isfinite(self.loss) and math.isfinite(self.gradient_norm)


def take_step(
    model: Autoencoder,
    optimizer: torch.optim.Optimizer,
    objective: Objective,
    inputs: AudioFeatures,
    *,
    mask: Tensor | None = None,
    kl_weight: float,
    learning_rate: float,
    gradient_clip_norm: float,
    autocast: torch.dtype | None,
    adversarial: AdversarialStep | None = None,
    n_parts: int = 1,
) -> StepFigures:
    """Forward, backward, clip, update; a step whose loss or gradient is not finite leaves the model untouched.

    Nothing is read back from the device: whether the step is taken is decided there, by the fused optimiser.

    Args:
        optimizer: fused, as `build_optimizer` makes it; no other heeds `found_inf`.
        adversarial: begun for this step and this batch; its discriminators learn at the same pace.
        n_parts: parts of the batch that are computed one after the other, for want of memory; the gradient is that of
            the whole batch, for one more forward pass.

    Shape:
        inputs, and mask, what the encoder does not get to hear of them, `[B, M, F]`, both on the model's device.
    """
    model.train()
    for group in optimizer.param_groups:
        group["lr"] = learning_rate
    optimizer.zero_grad(set_to_none=True)
    if n_parts == 1:
        result = _reconstruct(model, inputs, mask, autocast)
        terms = objective.score(measure_batch(objective, result, inputs, draw=True))
        noise = objective.score_noise(result, inputs)
        added = (
            terms.recon.new_zeros(()) if adversarial is None else adversarial.generator_loss(result, inputs.waveform)
        )
        loss = terms.total(kl_weight) + added
        (loss + NOISE_WEIGHT * noise).backward()  # type: ignore[no-untyped-call]
    else:
        terms, noise, added = _accumulate(
            model,
            objective,
            inputs,
            mask,
            kl_weight=kl_weight,
            autocast=autocast,
            adversarial=adversarial,
            n_parts=n_parts,
        )
        loss = terms.total(kl_weight) + added
    norm = torch.nn.utils.clip_grad_norm_(model.parameters(), gradient_clip_norm)
    figures = StepFigures(*(value.detach() for value in (loss, terms.recon, terms.kl, norm, noise)))
    optimizer.found_inf = (~torch.stack([*figures[:5], added.detach()]).isfinite().all()).float()  # type: ignore[attr-defined]
    optimizer.step()
    if adversarial is not None:
        discriminator = adversarial.update(learning_rate, gradient_clip_norm)
        figures = figures._replace(adversarial=added.detach(), discriminator=discriminator)
    return figures


def _reconstruct(
    model: Autoencoder, inputs: AudioFeatures, mask: Tensor | None, autocast: torch.dtype | None
) -> Reconstruction:
    with torch.autocast(inputs.log_mel.device.type, dtype=autocast, enabled=autocast is not None):
        result: Reconstruction = model(inputs, mask)
    return result


def _accumulate(
    model: Autoencoder,
    objective: Objective,
    inputs: AudioFeatures,
    mask: Tensor | None,
    *,
    kl_weight: float,
    autocast: torch.dtype | None,
    adversarial: AdversarialStep | None,
    n_parts: int,
) -> tuple[LossTerms, Tensor, Tensor]:
    """Add up the gradient of a batch's objective part by part.

    The objective is a function f of means E over the batch, not a mean itself. So E is found first, then every part
    adds `f'(E) · ∂E/∂θ`: the chain rule makes their sum the gradient of f(E). Both passes make the same draws. What
    noise and discriminators add is a mean over chunks.
    """
    split = zip(*(torch.tensor_split(values, n_parts) for values in inputs), strict=True)
    parts = [AudioFeatures(*values) for values in split]
    masks = [None] * n_parts if mask is None else torch.tensor_split(mask, n_parts)
    shares = [part.weight.sum() / inputs.weight.sum() for part in parts]
    shares_of_chunks = [len(part.log_mel) / len(inputs.log_mel) for part in parts]
    draws = save_generators()
    means: list[Tensor] = []
    with torch.no_grad():
        for part, hole, share in zip(parts, masks, shares, strict=True):
            result = _reconstruct(model, part, hole, autocast)
            weighted = [share * value for value in measure_batch(objective, result, part, draw=True)]
            objective.score_noise(result, part)  # for what it draws
            means = [a + b for a, b in zip(means, weighted, strict=True)] if means else weighted
    load_generators(draws)
    leaves = LossComponents(*(mean.requires_grad_() for mean in means))
    terms = objective.score(leaves)
    slopes = torch.autograd.grad(terms.total(kl_weight), leaves, allow_unused=True)
    total, total_noise = terms.recon.new_zeros(()), terms.recon.new_zeros(())
    for part, hole, share, share_of_chunks in zip(parts, masks, shares, shares_of_chunks, strict=True):
        result = _reconstruct(model, part, hole, autocast)
        components = measure_batch(objective, result, part, draw=True)
        pulls = [(slope * value).sum() for slope, value in zip(slopes, components, strict=True) if slope is not None]
        noise = objective.score_noise(result, part)
        added = total.new_zeros(()) if adversarial is None else adversarial.generator_loss(result, part.waveform)
        loss = share * torch.stack(pulls).sum() + share_of_chunks * (added + NOISE_WEIGHT * noise)
        loss.backward()  # type: ignore[no-untyped-call]
        total = total + share_of_chunks * added.detach()
        total_noise = total_noise + share_of_chunks * noise.detach()
    return terms, total_noise, total


def read_back(steps: Sequence[StepFigures]) -> list[StepResult]:
    """The figures of some steps as plain numbers; this waits for the device, once for all of them."""
    named = [{name: value for name, value in figures._asdict().items() if value is not None} for figures in steps]
    numbers = iter(torch.stack([value for values in named for value in values.values()]).tolist())
    return [StepResult(**{name: next(numbers) for name in values}) for values in named]
