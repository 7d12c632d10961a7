"""One optimiser step."""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from sda.audio.mel import Heard
from sda.losses.objective import Errors, LossTerms, Objective, measure_batch
from sda.models.autoencoder import Autoencoder
from sda.models.latents import Reconstruction
from sda.training.rng_state import load_generators, save_generators

NOISE_WEIGHT = 0.1
"""Of what noise is to lower. What it reaches is reached by nothing else, and Adam takes no notice of a weight: it only
keeps its gradient out of the norm that all are clipped by."""

Extra = Callable[[Reconstruction, Tensor], Tensor]
"""From what the network made of some chunks, and the chunks `[B, T]`, to what is added to the objective, a mean."""


class StepResult(NamedTuple):
    """What one step came to, as plain numbers."""

    loss: float
    recon: float
    kl: float
    gradient_norm: float
    """L2 norm before clipping."""
    noise: float = 0.0
    """Energy score of what was drawn, with a weight of its own beside the loss."""
    adversarial: float = 0.0
    """What discriminators added to the loss."""
    discriminator: float = 0.0
    """What the discriminators themselves lower."""

    @property
    def finite(self) -> bool:
        """Whether the step was taken."""
        return math.isfinite(self.loss) and math.isfinite(self.gradient_norm)


def take_step(
    model: Autoencoder,
    optimizer: torch.optim.Optimizer,
    objective: Objective,
    heard: Heard,
    *,
    hidden: Tensor | None = None,
    kl_weight: float,
    learning_rate: float,
    gradient_clip_norm: float,
    autocast: torch.dtype | None,
    extra: Extra | None = None,
    n_parts: int = 1,
) -> Tensor:
    """Forward, backward, clip, update; a step whose loss or gradient is not finite leaves the model untouched.

    Nothing is read back from the device: whether the step is taken is decided there, by the fused optimiser.

    Args:
        optimizer: fused, as `build_optimizer` makes it; no other heeds `found_inf`.
        extra: told each part of the batch once, in order.
        n_parts: parts of the batch that are computed one after the other, for want of memory; the gradient is that of
            the whole batch, for one more forward pass.

    Shape:
        heard and hidden, what the encoder does not get to hear of it, `[B, M, F]`, both on the model's device.
        Output `[6]` there: the fields of `StepResult` but for the last, for `read_back`.
    """
    model.train()
    for group in optimizer.param_groups:
        group["lr"] = learning_rate
    optimizer.zero_grad(set_to_none=True)
    if n_parts == 1:
        result = _reconstruct(model, heard, hidden, autocast)
        terms = objective.score(measure_batch(objective, result, heard, draw=True))
        noise = objective.score_noise(result, heard)
        added = terms.recon.new_zeros(()) if extra is None else extra(result, heard.waveform)
        loss = terms.total(kl_weight) + added
        (loss + NOISE_WEIGHT * noise).backward()  # type: ignore[no-untyped-call]
    else:
        terms, noise, added = _accumulate(
            model, objective, heard, hidden, kl_weight=kl_weight, autocast=autocast, extra=extra, n_parts=n_parts
        )
        loss = terms.total(kl_weight) + added
    norm = torch.nn.utils.clip_grad_norm_(model.parameters(), gradient_clip_norm)
    figures = torch.stack([loss, terms.recon, terms.kl, norm, noise, added]).detach()
    optimizer.found_inf = (~figures.isfinite().all()).float()  # type: ignore[attr-defined]
    optimizer.step()
    return figures


def _reconstruct(
    model: Autoencoder, heard: Heard, hidden: Tensor | None, autocast: torch.dtype | None
) -> Reconstruction:
    with torch.autocast(heard.log_mel.device.type, dtype=autocast, enabled=autocast is not None):
        result: Reconstruction = model(heard, hidden)
    return result


def _accumulate(
    model: Autoencoder,
    objective: Objective,
    heard: Heard,
    hidden: Tensor | None,
    *,
    kl_weight: float,
    autocast: torch.dtype | None,
    extra: Extra | None,
    n_parts: int,
) -> tuple[LossTerms, Tensor, Tensor]:
    """Add up the gradient of a batch's objective part by part.

    The objective is a function f of means E over the batch, not a mean itself. So E is found first, then every part
    adds `f'(E) · ∂E/∂θ`: the chain rule makes their sum the gradient of f(E). Both passes make the same draws. What
    noise and discriminators add is a mean over chunks.
    """
    parts = [Heard(*pair) for pair in zip(*(torch.tensor_split(values, n_parts) for values in heard), strict=True)]
    holes = [None] * n_parts if hidden is None else torch.tensor_split(hidden, n_parts)
    shares = [part.weight.sum() / heard.weight.sum() for part in parts]
    shares_of_chunks = [len(part.log_mel) / len(heard.log_mel) for part in parts]
    draws = save_generators()
    means: list[Tensor] = []
    with torch.no_grad():
        for part, hole, share in zip(parts, holes, shares, strict=True):
            result = _reconstruct(model, part, hole, autocast)
            weighted = [share * value for value in measure_batch(objective, result, part, draw=True)]
            objective.score_noise(result, part)  # for what it draws
            means = [a + b for a, b in zip(means, weighted, strict=True)] if means else weighted
    load_generators(draws)
    leaves = Errors(*(mean.requires_grad_() for mean in means))
    terms = objective.score(leaves)
    slopes = torch.autograd.grad(terms.total(kl_weight), leaves, allow_unused=True)
    total, total_noise = terms.recon.new_zeros(()), terms.recon.new_zeros(())
    for part, hole, share, share_of_chunks in zip(parts, holes, shares, shares_of_chunks, strict=True):
        result = _reconstruct(model, part, hole, autocast)
        errors = measure_batch(objective, result, part, draw=True)
        pulls = [(slope * value).sum() for slope, value in zip(slopes, errors, strict=True) if slope is not None]
        noise = objective.score_noise(result, part)
        added = total.new_zeros(()) if extra is None else extra(result, part.waveform)
        loss = share * torch.stack(pulls).sum() + share_of_chunks * (added + NOISE_WEIGHT * noise)
        loss.backward()  # type: ignore[no-untyped-call]
        total = total + share_of_chunks * added.detach()
        total_noise = total_noise + share_of_chunks * noise.detach()
    return terms, total_noise, total


def read_back(figures: Sequence[Tensor]) -> list[StepResult]:
    """What `take_step` gave for some steps, as plain numbers; this waits for the device, once for all of them."""
    rows = torch.nn.utils.rnn.pad_sequence(list(figures), batch_first=True)  # those without discriminators are shorter
    return [StepResult(*row) for row in rows.tolist()]
