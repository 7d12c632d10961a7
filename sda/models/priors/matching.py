"""The local denoiser of a mosaic: what a noisy path was, if it was put together from places of a bank.

Each latent becomes the mean of the bank's latents, weighted by how likely it is that their surroundings, with noise,
look like its own.

Letters in the shapes: `W` latents of a window, `M` places of a level, `D` dimensions, `S` slots of `movement.Slots`.

Reference:
    Kamb & Ganguli, "An analytic theory of creativity in convolutional diffusion models", ICML 2025 (2412.20292).
"""

from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Tensor

from sda.models.priors.bank import Level
from sda.models.priors.movement import Slots, calm, deal_nothing, take_movement

KNOWN_VARIANCE = 0.5
"""Of what is known of a window, as if it were noisy: what comes has to fit it well, not to the last digit."""
JOINED = 6
"""Latents on either side of where a passage is set in that it is to fit to."""
JOINED_VARIANCE = 2.0
"""Of what it is to fit to: what fits somewhat less well is chosen too, less often."""
MOVEMENT_WEIGHT = 0.5
"""Of the movement in the dimensions of a slot behind the first, where a recording is chosen for it; the rest is of the
whole latent. What it adds is to fit what it is added to, and what moves there."""
LATER_RADIUS = 3
"""Latents on either side that are compared for it at least: what it adds is to last for a while, as sound does."""
VARIANCE_FLOOR = 0.05
"""Added to the variance of the noise: two places that are closer than this are the same."""
PACE = 24
"""Latents that a path may be ahead of or behind the recordings it goes through, in the time since a sound began, as a
deviation: about a second. Without it a path takes every chance to get to the end of a decay."""


class Noise(NamedTuple):
    """What there is to know of a noisy window."""

    sigma: float
    """Deviation of the noise in what is not known."""
    is_known: Tensor
    """Which latents are known, `[W]`."""
    radius: int
    """Latents on either side of a place that it is compared with."""
    since: Tensor | None = None
    """Latents since the path began, `[W]`, if its sounds are to go on as recordings do."""


@dataclass
class Matcher:
    """Denoises windows by one level of a bank."""

    level: Level
    is_inside: bool = False
    """A path goes through no pause: one sound, to its end, and not the next one behind it."""
    _scales: dict[tuple[int, int], Tensor] = field(default_factory=dict)
    _barred: Tensor = field(init=False)
    """Where no path goes, `[M]`."""

    def __post_init__(self) -> None:
        self._barred = self.level.owner < 0
        inside = self._barred | self.level.is_pause
        if self.is_inside and not inside.all():  # as it may be of a few blocks at a coarse rate
            self._barred = inside

    def draw(
        self, window: Tensor, is_known: Tensor, generator: torch.Generator, origin: tuple[int, int] | None = None
    ) -> Tensor:
        """A window of passages of the bank, each drawn from all that could be there and followed while it goes on.

        It is what noise is put on. Noise alone would lie near the mean of the bank, and so would what becomes of it:
        loud and quiet recordings would hardly be drawn.

        Args:
            window: what is known of it, `[W, D]`.
            is_known: which of its latents are, `[W]`.
            origin: a row, and the recording that the passage that begins there is of; any if not given.
        """
        drawn, place = window.clone(), -1
        for row in range(len(window)):
            if is_known[row]:
                place = -1
                continue
            place = place + 1 if place >= 0 else -1
            is_origin = origin is not None and row == origin[0]
            if is_origin or not 0 <= place < len(self._barred) or self._barred[place]:
                fit = self._compare(drawn, is_known, row)
                if origin is not None and is_origin:
                    fit = fit.masked_fill(self.level.owner != origin[1], -torch.inf)
                chances = fit.softmax(dim=0)
                place = int(torch.multinomial(chances, 1, generator=generator))
            drawn[row] = self.level.bank[place]
        return drawn

    def _compare(self, window: Tensor, is_known: Tensor, row: int) -> Tensor:
        """How well each place of the bank fits in at a row of a window, to what is before it and to what is known
        behind it: log-likelihoods up to a constant, `[M]`."""
        valid = self.level.owner >= 0
        usual = 2.0 * float(self.level.squares[valid].mean())  # of two places that have nothing to do with each other
        score = torch.zeros(len(valid))
        behind = row + is_known[row:].nonzero()[:JOINED, 0]
        for other in (*range(max(0, row - JOINED), row), *behind.tolist()):
            there = torch.arange(len(score)) + other - row
            is_there = (there >= 0) & (there < len(score))
            there = there.clamp(0, len(score) - 1)
            distance = (self.level.bank[there] - window[other]).square().sum(dim=1)
            score -= 0.5 / JOINED_VARIANCE * torch.where(is_there & valid[there], distance, usual)
        return score.masked_fill(self._barred, -torch.inf)

    def denoise(self, window: Tensor, noise: Noise, slots: Slots) -> Tensor:
        """The most that can be said of a window `[W, D]` with noise in it. → `[W, D]`."""
        return self._mix(self._score(window, noise, slots), slots)[0]

    def choose(self, window: Tensor, noise: Noise, sizes: Tensor, *, most: int, fewest: int) -> Tensor:
        """The recordings that fit a window best anywhere in what is not known of it.

        Args:
            sizes: latents of each recording, `[R]`.
            most: latents that they have together at most, but for the last of the `fewest` recordings.
        """
        score = self._score(window, noise, deal_nothing(window.shape[1]))[0][~noise.is_known].amax(dim=0)
        of_recording = torch.full((len(sizes),), -torch.inf)
        of_recording.scatter_reduce_(0, self.level.owner.clamp(min=0).long(), score, "amax")
        order = of_recording.argsort(descending=True, stable=True)
        n_chosen = int((sizes[order].cumsum(dim=0) <= most).sum())
        return order[: max(fewest, n_chosen)]

    def take(self, owners: Tensor) -> "Matcher":
        """Denoises by some recordings alone."""
        return Matcher(self.level.take(owners), self.is_inside)

    def finish(self, window: Tensor, noise: Noise, slots: Slots, n: int) -> tuple[Tensor, Tensor, Tensor]:
        """The same, with the share of each of `n` recordings in every latent `[W, n]`, and the places `[W]` in the
        largest source."""
        values, weights = self._mix(self._score(window, noise, slots), slots)
        shares = torch.zeros(len(window), n).index_add_(1, self.level.owner.clamp(min=0), weights)
        return values, shares, self.level.place[weights.argmax(dim=1)]

    def _score(self, window: Tensor, noise: Noise, slots: Slots) -> list[Tensor]:
        """Log-likelihood of every place of the bank at every latent, up to a constant, for each slot. → `S` times
        `[W, M]`."""
        level, n_slots = self.level, len(slots.part)
        every = torch.addmm(level.squares + window.square().sum(dim=1)[:, None], window, level.bank.T, alpha=-2.0)
        compared = [every]
        if n_slots > 1:
            moved = take_movement(window, torch.ones(len(window), dtype=torch.bool))
            not_own = (slots.slot > 0).to(window.dtype)  # of them, slot 0 has what is left without movement
            compared = [_compare_squares(window - moved * not_own, level.bank - level.movement * not_own)]
            for number in range(1, n_slots):
                dims = slots.slot == number
                own = _compare_squares(moved[:, dims], level.movement[:, dims])
                compared.append(torch.lerp(every, own, MOVEMENT_WEIGHT))
        variance = torch.full((len(window), 1), noise.sigma**2 + VARIANCE_FLOOR)
        variance[noise.is_known] = min(float(variance[0]), KNOWN_VARIANCE)
        is_nothing = level.owner < 0
        radii = [noise.radius, *[max(LATER_RADIUS, noise.radius)] * (n_slots - 1)]
        late = 0.0 if noise.since is None else self._compare_times(noise.since)
        scores = []
        for distances, radius in zip(compared, radii, strict=True):
            distances.clamp_(min=0.0).mul_(-0.5 / variance).masked_fill_(is_nothing, 0.0)
            score = sum_diagonals(distances, radius).mul_(self._scale(len(window), radius))
            scores.append(score.sub_(late).masked_fill_(self._barred, -torch.inf))
        return scores

    def _compare_times(self, since: Tensor) -> Tensor:
        """What speaks against each place, as it is of another time of its sound; nothing where that is not known.
        `[W]` → `[W, M]`."""
        return (0.5 * ((self.level.since - since[:, None]) / PACE).square()).nan_to_num_(0.0)

    def _scale(self, n_latents: int, radius: int) -> Tensor:
        """What a sum of distances is multiplied by, so that what lies beyond the end of a row counts as the rest does.
        `[W, M]`."""
        key = n_latents, radius
        if key not in self._scales:
            valid = (self.level.owner >= 0).float()
            n_compared = sum_diagonals(valid.expand(n_latents, -1).contiguous(), radius)
            most = sum_diagonals(torch.ones(n_latents, 3 * radius + 1), radius)[:, radius : radius + 1]
            self._scales[key] = most / n_compared.clamp(min=1.0)
        return self._scales[key]

    def _mix(self, scores: list[Tensor], slots: Slots) -> tuple[Tensor, Tensor]:
        """Values `[W, D]`, and the weight of every place in them `[W, M]`."""
        level, n_slots = self.level, len(slots.part)
        weights = scores[0].softmax(dim=1)
        values = weights @ level.bank
        if n_slots == 1:
            return values, weights
        is_taken = level.owner == level.owner[weights.argmax(dim=1)][:, None]
        of_slot = weights.masked_fill(~is_taken, 0.0)
        mass = of_slot.sum(dim=1, keepdim=True)
        over = mass[:, 0] > slots.most
        if not over.any():
            return values, weights
        of_slot /= mass
        dealt = torch.zeros_like(weights)
        for number in range(n_slots):
            if number:
                left = scores[number].masked_fill_(is_taken, -torch.inf)
                if number < n_slots - 1:
                    own = level.owner == level.owner[left.argmax(dim=1)][:, None]
                    left, is_taken = left.masked_fill(~own, -torch.inf), is_taken | own
                # Where none is left, the one before has more.
                is_left = left.amax(dim=1, keepdim=True) > -torch.inf
                of_slot = torch.where(is_left, left.softmax(dim=1), of_slot)
            dealt.add_(of_slot, alpha=float(slots.part[number]))
            if number == 0:
                chosen = of_slot @ level.bank
                own_moved = of_slot @ level.movement
                slow = chosen - own_moved
            else:
                dims = (slots.slot == number).nonzero()[:, 0]
                added = of_slot @ level.movement[:, dims]
                chosen[:, dims] = slow[:, dims] + calm(added, own_moved[:, dims])
        return torch.where(over[:, None], chosen, values), torch.where(over[:, None], dealt, weights)


def _compare_squares(window: Tensor, bank: Tensor) -> Tensor:
    """The squared distance of every latent of a window from every place. `[W, D]`, `[M, D]` → `[W, M]`."""
    squares = bank.square().sum(dim=1) + window.square().sum(dim=1)[:, None]
    return torch.addmm(squares, window, bank.T, alpha=-2.0)


def sum_diagonals(values: Tensor, radius: int) -> Tensor:
    """The sum of up to `2 · radius + 1` neighbours along every diagonal; beyond the edges is nothing.

    Shape:
        `[W, M]` → `[W, M]`.

    >>> sum_diagonals(torch.tensor([[1.0, 2.0, 3.0], [10.0, 20.0, 30.0]]), 1)
    tensor([[21., 32.,  3.],
            [10., 21., 32.]])
    """
    n_rows, n_columns = values.shape
    n_sheared = n_columns + n_rows
    room = values.new_zeros(n_rows, n_columns + 2 * n_rows)
    room[:, n_rows : n_rows + n_columns] = values
    # Each row starts one place later than the one before: what was a diagonal is a column.
    totals = room.as_strided((n_rows, n_sheared), (n_columns + 2 * n_rows + 1, 1)).cumsum(dim=0)
    sums = totals[torch.arange(n_rows).add(radius).clamp(max=n_rows - 1)]
    if n_rows > radius + 1:
        sums[radius + 1 :] -= totals[: n_rows - radius - 1]
    return sums.as_strided((n_rows, n_columns), (n_sheared - 1, 1), n_rows).clone()
