"""The memory of a mosaic: the paths of training sound in rows, at one rate of latents or another.

Letters in the shapes: `N` latents of the bank, `M` places of a level, `W` latents of a window, `D` dimensions.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from sda.models.priors.movement import AROUND, take_movement
from sda.models.priors.prior import Recording

LARGEST_RADIUS = AROUND
"""Latents on either side that a place is compared with, at most; so many empty places are between rows, as no mean may
reach from one into the next."""
N_PHASES = 2
"""Of the blocks of a coarser level: places where the first of them begins."""
MOST_WRAPPED = 64
"""Latents of its other end that a row of sounds is continued with, so that its last sound has a successor."""


@dataclass(frozen=True)
class Rows:
    """The paths of training sound, one after the other in rows; what ends is followed by something that begins."""

    latents: Tensor
    """`[N, D]`."""
    owner: Tensor
    """The recording of each, `[N]`."""
    place: Tensor
    """Where in its recording, latents, `[N]`."""
    row: Tensor
    """The row of each, from 0, `[N]`; neighbours in a row are neighbours in time."""

    def find_pauses(self, edges: Tensor) -> Tensor:
        """Which latents are silence before or behind their recording, `[N]`.

        Args:
            edges: how many are before and behind each recording, `[R, 2]`.
        """
        owner = self.owner.long()
        last = torch.full((len(edges),), -(2**62)).scatter_reduce(0, owner, self.place, "amax")
        return (self.find_since(edges) < 0) | (self.place > (last - edges[:, 1])[owner])

    def find_since(self, edges: Tensor) -> Tensor:
        """Latents since the sound of each began, below 0 in the silence before it, NaN where that is not known, `[N]`.

        Args:
            edges: as in `find_pauses`.
        """
        owner = self.owner.long()
        first = torch.full((len(edges),), 2**62).scatter_reduce(0, owner, self.place, "amin")
        since = (self.place - (first + edges[:, 0])[owner]).float()
        return since.masked_fill((edges[:, 0] == 0)[owner], torch.nan)


def chain(recordings: Sequence[Recording], owners: Sequence[int], seed: int) -> Rows:
    """Put recordings into rows.

    Silence that nothing follows would go on for ever: it is as likely as any silence, and nothing speaks against it.
    So every end is followed by a beginning, drawn by chance, and by the pause that the two bring along.
    """
    generator = torch.Generator().manual_seed(seed)
    beginners = [number for number, one in enumerate(recordings) if one.lead]
    waiting = [beginners[place] for place in torch.randperm(len(beginners), generator=generator).tolist()]
    chains = [_follow([number], waiting, recordings) for number, one in enumerate(recordings) if not one.lead]
    while waiting:
        chains.append(_follow([waiting.pop()], waiting, recordings))
    parts: list[tuple[Tensor, ...]] = []
    for row, members in enumerate(chains):
        lengths = [recordings[number].latents.shape[1] for number in members]
        columns = (
            torch.cat([recordings[number].latents.T for number in members]),
            torch.cat([torch.full((n,), owners[number]) for number, n in zip(members, lengths, strict=True)]),
            torch.cat([recordings[number].start + torch.arange(n) for number, n in zip(members, lengths, strict=True)]),
            torch.full((sum(lengths),), row),
        )
        is_wrapped = recordings[members[-1]].tail and recordings[members[0]].lead
        n_wrapped = min(MOST_WRAPPED, sum(lengths)) if is_wrapped else 0
        parts.append(tuple(torch.cat([one[len(one) - n_wrapped :], one, one[:n_wrapped]]) for one in columns))
    return Rows(*(torch.cat(columns) for columns in zip(*parts, strict=True)))


def _follow(members: list[int], waiting: list[int], recordings: Sequence[Recording]) -> list[int]:
    """What follows the last member, for as long as there is an end to be followed and a beginning to follow it."""
    while recordings[members[-1]].tail and waiting:
        members.append(waiting.pop())
    return members


@dataclass(frozen=True)
class Level:
    """The rows at a coarser rate: means of `factor` neighbours each, beginning at two phases of a block."""

    factor: int
    bank: Tensor
    """`[M, D]`; zeros where there is nothing, which is between rows."""
    owner: Tensor
    """−1 where there is nothing, `[M]`, int32."""
    place: Tensor
    """Of the middle of a block, `[M]`."""
    squares: Tensor
    """The sum of squares of each place, `[M]`."""
    movement: Tensor
    """What each place differs from those around it by, see `movement.take_movement`, `[M, D]`."""
    is_pause: Tensor
    """Which places are nothing but silence between two recordings, `[M]`."""
    since: Tensor
    """Latents from where its sound began to the middle of each place, NaN where that is not known, `[M]`."""

    def take(self, owners: Tensor) -> "Level":
        """What is of some recordings, in its order; where something is left out, there is nothing for a while."""
        is_kept = torch.isin(self.owner, owners.to(self.owner.dtype))
        around = torch.nn.functional.max_pool1d(
            is_kept.float()[None], 2 * LARGEST_RADIUS + 1, stride=1, padding=LARGEST_RADIUS
        )[0]
        places = around.nonzero()[:, 0]
        is_nothing = ~is_kept[places]
        return Level(
            self.factor,
            self.bank[places].masked_fill_(is_nothing[:, None], 0.0),
            self.owner[places].masked_fill_(is_nothing, -1),
            self.place[places],
            self.squares[places].masked_fill_(is_nothing, 0.0),
            self.movement[places].masked_fill_(is_nothing[:, None], 0.0),
            self.is_pause[places],
            self.since[places],
        )


def coarsen(rows: Rows, factor: int, edges: Tensor) -> Level:
    """The rows at a rate `factor` times lower.

    Args:
        edges: how many latents of silence are before and behind each recording, `[R, 2]`.
    """
    is_pause, since = rows.find_pauses(edges), rows.find_since(edges)
    n_dims = rows.latents.shape[1]
    none = torch.zeros(LARGEST_RADIUS)
    nothing = (torch.zeros(LARGEST_RADIUS, n_dims), none.long() - 1, none, none.bool(), none + torch.nan)
    parts = [nothing]
    starts = torch.cat([torch.tensor([0]), 1 + rows.row.diff().nonzero()[:, 0], torch.tensor([len(rows.row)])])
    for first, last in zip(starts[:-1].tolist(), starts[1:].tolist(), strict=True):
        for phase in range(0, factor, max(1, factor // N_PHASES)):
            n_blocks = (last - first - phase) // factor
            if n_blocks < 1 and phase == 0:  # shorter than a block
                middle = (first + last) // 2
                block = (rows.latents[first:last].mean(dim=0, keepdim=True), rows.owner[middle][None])
                parts += [
                    (*block, rows.place[middle][None], is_pause[first:last].all()[None], since[middle][None]),
                    nothing,
                ]
            elif n_blocks >= 1:
                inside = slice(first + phase, first + phase + n_blocks * factor)
                middles = torch.arange(n_blocks) * factor + factor // 2 + first + phase
                means = rows.latents[inside].view(n_blocks, factor, n_dims).mean(dim=1)
                silent = is_pause[inside].view(n_blocks, factor).all(dim=1)
                parts += [(means, rows.owner[middles], rows.place[middles], silent, since[middles]), nothing]
    bank, owner, place, silent, began = (torch.cat(columns) for columns in zip(*parts, strict=True))
    movement = take_movement(bank, owner >= 0)
    return Level(factor, bank, owner.int(), place.long(), bank.square().sum(dim=1), movement, silent, began)
