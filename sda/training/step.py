"""One optimiser step."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from sda.audio.mel import Heard
from sda.losses.objective import Errors, LossTerms, Objective, measure_batch
from sda.models.autoencoder import Autoencoder
from sda.training.generators import load_generators, save_generators


class StepResult(NamedTuple):
    """What one step came to, as plain numbers."""

    loss: float
    recon: float
    kl: float
    gradient_norm: float
    """L2 norm before clipping."""

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
    n_parts: int = 1,
) -> Tensor:
    """Forward, backward, clip, update; a step whose loss or gradient is not finite leaves the model untouched.

    Nothing is read back from the device: whether the step is taken is decided there, by the fused optimiser.

    Args:
        optimizer: fused, as `build_optimizer` makes it; no other heeds `found_inf`.
        n_parts: parts of the batch that are computed one after the other, for want of memory; the gradient is that of
            the whole batch, for one more forward pass.

    Shape:
        heard and hidden, what the encoder does not get to hear of it, `[B, M, F]`, both on the model's device.
        Output `[4]` there: the fields of `StepResult`, for `read_back`.
    """
    model.train()
    for group in optimizer.param_groups:
        group["lr"] = learning_rate
    optimizer.zero_grad(set_to_none=True)
    if n_parts == 1:
        terms = objective.score(_measure(model, objective, heard, hidden, autocast))
        loss = terms.total(kl_weight)
        loss.backward()  # type: ignore[no-untyped-call]
    else:
        terms = _accumulate(model, objective, heard, hidden, kl_weight=kl_weight, autocast=autocast, n_parts=n_parts)
        loss = terms.total(kl_weight)
    norm = torch.nn.utils.clip_grad_norm_(model.parameters(), gradient_clip_norm)
    figures = torch.stack([loss, terms.recon, terms.kl, norm]).detach()
    optimizer.found_inf = (~figures.isfinite().all()).float()  # type: ignore[attr-defined]
    optimizer.step()
    return figures


def _measure(
    model: Autoencoder, objective: Objective, heard: Heard, hidden: Tensor | None, autocast: torch.dtype | None
) -> Errors:
    with torch.autocast(heard.log_mel.device.type, dtype=autocast, enabled=autocast is not None):
        result = model(heard, hidden)
    return measure_batch(objective, result, heard.waveform, draw=True)


def _accumulate(
    model: Autoencoder,
    objective: Objective,
    heard: Heard,
    hidden: Tensor | None,
    *,
    kl_weight: float,
    autocast: torch.dtype | None,
    n_parts: int,
) -> LossTerms:
    """Add up the gradient of a batch's objective part by part.

    The objective is a function f of means E over the batch, not a mean itself. So E is found first, then every part
    adds `f'(E) · ∂E/∂θ`: the chain rule makes their sum the gradient of f(E). Both passes make the same draws.
    """
    parts = [Heard(*pair) for pair in zip(*(torch.tensor_split(values, n_parts) for values in heard), strict=True)]
    holes = [None] * n_parts if hidden is None else torch.tensor_split(hidden, n_parts)
    shares = [len(part.log_mel) / len(heard.log_mel) for part in parts]
    draws = save_generators()
    means: list[Tensor] = []
    with torch.no_grad():
        for part, hole, share in zip(parts, holes, shares, strict=True):
            weighted = [share * value for value in _measure(model, objective, part, hole, autocast)]
            means = [a + b for a, b in zip(means, weighted, strict=True)] if means else weighted
    load_generators(draws)
    leaves = Errors(*(mean.requires_grad_() for mean in means))
    terms = objective.score(leaves)
    slopes = torch.autograd.grad(terms.total(kl_weight), leaves, allow_unused=True)
    for part, hole, share in zip(parts, holes, shares, strict=True):
        errors = _measure(model, objective, part, hole, autocast)
        pulls = [(slope * value).sum() for slope, value in zip(slopes, errors, strict=True) if slope is not None]
        (share * torch.stack(pulls).sum()).backward()  # type: ignore[no-untyped-call]
    return terms


def read_back(figures: Sequence[Tensor]) -> list[StepResult]:
    """What `take_step` gave for some steps, as plain numbers; this waits for the device, once for all of them."""
    return [StepResult(*row) for row in torch.stack(list(figures)).tolist()]
