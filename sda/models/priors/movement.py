"""How a sound moves, apart from what it sounds like, and how its movement is dealt out to recordings.

Letters in the shapes: `M` places of a level, `W` latents of a window, `D` dimensions, `S` slots.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import avg_pool1d

AROUND = 12
"""Latents on either side whose mean is what a sound is like there; what differs from it is movement. They are a second
in all: what a note is lasts for longer, how it sets in and fluctuates does not."""
NEAR = 6
"""Latents on either side over which it is told how much a sound moves."""
MOST_MOVED = 0.8
"""Of how much a sound moves, what another may move it by: movement that does not belong is heard sooner than what does,
most of all in a decay."""


def take_movement(path: Tensor, is_there: Tensor) -> Tensor:
    """What each latent differs by from the mean of those around it: how a sound moves, whatever it sounds like.

    Args:
        path: `[M, D]`, zeros where there is nothing.
        is_there: where there is something, `[M]`.

    >>> take_movement(torch.tensor([[1.0], [1.0], [4.0]]), torch.tensor([True, True, True]))[:, 0]
    tensor([-1., -1.,  2.])
    """
    width = 2 * AROUND + 1
    total, n_there = (
        avg_pool1d(one[None], width, stride=1, padding=AROUND)[0] for one in (path.T, is_there.to(path.dtype)[None])
    )
    return (path - (total / n_there.clamp(min=0.5 / width)).T) * is_there[:, None]


def calm(movement: Tensor, own: Tensor) -> Tensor:
    """Movement that moves a sound no more than `MOST_MOVED` of what its own moves it by around there; less is kept.

    Shape:
        both `[W, D]` → `[W, D]`.

    >>> calm(torch.tensor([[4.0], [-4.0]]), torch.tensor([[1.0], [1.0]]))[:, 0]
    tensor([ 0.8000, -0.8000])
    """
    gain = MOST_MOVED * _measure(own) / _measure(movement).clamp(min=1e-6)
    return movement * gain.clamp(max=1.0)[:, None]


def _measure(movement: Tensor) -> Tensor:
    """Its root mean square around each latent. `[W, D]` → `[W]`."""
    power = movement.square().mean(dim=1)[None]
    return avg_pool1d(power, 2 * NEAR + 1, stride=1, padding=NEAR, count_include_pad=False)[0].sqrt()


@dataclass(frozen=True)
class Slots:
    """How the movement of a latent is dealt out to recordings, dimension by dimension.

    The recording that fits best has slot 0: what it sounds like there, and the movement in its own dimensions. The next
    has slot 1, and so on, and the movement in theirs.
    """

    slot: Tensor
    """The slot of each dimension, from 0, `[D]`."""
    part: Tensor
    """What part of a latent each slot is, `[S]`; of those behind the first, at most."""
    most: float
    """What part of a latent a recording may have before anything is dealt out."""


def deal(loudness: Tensor, movement: Tensor, most: float, n_recordings: int, generator: torch.Generator) -> Slots:
    """Deal the dimensions out, so that those of each slot but the last are about `most` of what moves, by amplitude.

    The first slot has those that move most, which is how loud the sound is, and the last one the many that move little.
    Chance decides between those that move alike.

    Args:
        loudness: how much is heard of each dimension, `[D]`.
        movement: how much of that is movement, `[D]`.
        n_recordings: there are no more slots than that.
    """
    n_slots = min(n_recordings, max(1, math.ceil(1.0 / most - 1e-6)))
    if n_slots == 1:
        return deal_nothing(len(loudness))
    heard = loudness.double().square() + 1e-12
    moving = torch.minimum(movement.double().square() + 1e-12, heard)
    chance = torch.randn(len(moving), generator=generator, dtype=torch.float64).exp()
    order = (moving * chance).argsort(descending=True, stable=True)
    shares = moving[order].sqrt() / moving.sqrt().sum()
    slot = torch.zeros(len(moving), dtype=torch.int64)
    slot[order] = ((shares.cumsum(dim=0) - 0.5 * shares) / most).long().clamp(max=n_slots - 1)
    part = torch.zeros(n_slots, dtype=torch.float64).index_add_(0, slot, moving / heard.sum())
    part[0] = 1.0 - part[1:].sum()
    return Slots(slot, part.float(), most)


def deal_nothing(n_dims: int) -> Slots:
    """One slot for all: a recording may have all of a latent."""
    return Slots(torch.zeros(n_dims, dtype=torch.int64), torch.ones(1), 1.0)
