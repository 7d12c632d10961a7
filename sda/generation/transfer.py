"""Transfer: a given sound's loudness and onsets, played with the timbre of training sound.

Timbre is taken from the bank of latents that a mosaic holds, by likeness and with memory: to go on in a recording is
free, to go to another place of the bank costs something, and little where the given sound sets in. What a moment is
like is told relative to all of its own side, so that a sound whose timbre lies outside of the corpus is mapped into it:
its brightest moment becomes the corpus' brightest.

Letters in the shapes: `N` latents of the bank, `K` points of a path, `D` latent dimensions, `C` what is compared.

Reference:
    Schwarz, "Concatenative sound synthesis: The early years", Journal of New Music Research 2006; Forney, "The Viterbi
    algorithm", Proceedings of the IEEE 1973.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from sda.generation.loudness import LoudnessScale
from sda.generation.modes import Note
from sda.generation.passages import Player, find_successors, take_bank
from sda.generation.synthesizer import Synthesizer, note_sources, take_seed
from sda.models.priors.mosaic import Mosaic
from sda.models.priors.prior import Drawn
from sda.subsample import subsample_evenly

STRETCH_POINTS, AHEAD_POINTS = 192, 64
"""Points of a path that are decided at a time, and how far it is looked ahead of them: eight seconds, and three."""
LOUD = 0.95
"""Quantile of level that is a sound's loud moments."""
QUIET = 0.1
"""The same of its quiet ones: between the two lies its range."""
SOUNDING = 4.6
"""What lies further below the loud moments (natural log, 40 dB) tells nothing of timbre, and is as quiet in what is
made of it."""
RELEASE = 0.05
"""How fast that falls, natural log for each latent, 10 dB a second: what was played rings out."""
ONSET = 0.7
"""A rise (natural log, 6 dB) with which a sound sets in."""
FULL_RISE = 1.5
"""A rise (natural log, 13 dB) above which all are alike."""
LEVEL_WEIGHT, RISE_WEIGHT = 1.0, 1.5
"""What a unit of loudness, and a full rise, count in likeness, where all of timbre counts 1."""
ONSET_DISCOUNT = 0.9
"""Part of the cost of leaving a passage that a full rise saves."""
COST_OF_MEMORY = 0.05
"""Cost of leaving a passage for each latent of memory, as a part of what the likest place gains over any."""
SILENT_WEIGHT = 0.05
"""What likeness counts where nothing is heard."""
RANGE_FITTED = 0.7
"""Power of the corpus' range over the given sound's by which a wider range is narrowed."""
LEAST_DEVIATION = 1e-2
NEVER = 1e9
"""Cost of a place that is not to be used."""


def transfer_stretches(
    synthesizer: Synthesizer,
    path: Tensor,
    n_samples: int,
    *,
    adherence: float,
    seed: int,
    number: int,
    note: Note | None = None,
) -> Iterator[Tensor]:
    """A given sound's loudness and onsets with the timbre of the corpus. `[D, K]` → blocks of `n_samples` in all.

    Args:
        path: the path of the given sound.
        adherence: 1 has the given sound's loudness, 0 that of the passages which are likest to it.

    Raises:
        ConfigError: the prior remembers no training sound, or the model's latents carry no loudness of their own.
    """
    prior = take_bank(synthesizer.prior, "transfer")
    drawn = transfer_path(prior, path, synthesizer.loudness, adherence=adherence, memory=synthesizer.manner.memory)
    return synthesizer.decode_stretches(note_sources(drawn, note), n_samples, take_seed(seed, number))


def transfer_path(
    prior: Mosaic, path: Tensor, scale: LoudnessScale, *, adherence: float, memory: int
) -> Iterator[Drawn]:
    """The path of a given sound, played by passages of training sound. `[D, K]` → stretches of `K` points in all.

    Args:
        adherence: see `transfer_stretches`.
        memory: latents; the longer, the less willingly a recording is left.
    """
    rows, n_dims = prior.rows, scale.n_values
    given, bank = path.T.cpu(), rows.latents
    is_used = ~rows.find_pauses(prior.edges)
    sides = [_listen(given, scale, torch.ones(len(given), dtype=torch.bool)), _listen(bank, scale, is_used)]
    weight = prior.emphasis[n_dims:] * bank[sides[1].is_sounding, n_dims:].std(dim=0, correction=0)
    weight = weight / weight.square().sum().sqrt().clamp(min=LEAST_DEVIATION)
    loudness = _fit_levels(given[:, :n_dims] * scale.nepers, *sides) / scale.nepers
    search = _Search(
        _compare_by(given, loudness, sides[0], weight, scale),
        _compare_by(bank, bank[:, :n_dims], sides[1], weight, scale),
        sides[0],
        sides[1].is_sounding,
        find_successors(rows),
    )
    quiet = _release((sides[0].level + SOUNDING).clamp(max=0.0)) / scale.nepers
    player, first = Player(rows, len(prior.names)), 0
    for places in search.follow(memory):
        own = slice(first, first + len(places))
        drawn = player.play(places, sides[0].rise[own] > ONSET)
        played = torch.lerp(drawn.path.T[:, :n_dims], loudness[own], adherence) + quiet[own, None]
        yield drawn._replace(path=torch.cat([played.T, drawn.path[n_dims:]]))
        first += len(places)


class _Side(NamedTuple):
    """How the given sound, or all of the bank, goes."""

    level: Tensor
    """Of each latent, natural log, relative to the loud moments, `[K]`."""
    rise: Tensor
    """By how much it gets louder within each, natural log, at most `FULL_RISE`, `[K]`."""
    is_sounding: Tensor
    """Where it tells something of timbre, `[K]`."""
    top: float
    """Level of its loud moments, natural log."""
    span: float
    """From its quiet moments, as far as anything is heard in them, to its loud ones."""


def _listen(latents: Tensor, scale: LoudnessScale, is_used: Tensor) -> _Side:
    """`[K, D]` → how it goes."""
    frames = (latents[:, : scale.n_values] * scale.nepers).flatten()
    before = torch.cat([frames[:1].expand(scale.n_values), frames[:-1]]).unfold(0, scale.n_values, 1).mean(dim=1)
    rise = (frames - before).clamp(0.0, FULL_RISE).view(-1, scale.n_values).amax(dim=1)
    level = frames.view(-1, scale.n_values).mean(dim=1)
    top = float(level[is_used].quantile(LOUD))
    is_sounding = is_used & (level >= top - SOUNDING)
    span = top - float(level[is_sounding].quantile(QUIET))
    return _Side(level - top, rise, is_sounding, top, span)


def _compare_by(latents: Tensor, levels: Tensor, side: _Side, weight: Tensor, scale: LoudnessScale) -> Tensor:
    """What moments are compared by: timbre in deviations of their own side, level, and rise. `[K, D]` → `[K, C]`.

    Args:
        levels: of their frames, as they are played.
    """
    timbre = latents[:, scale.n_values :]
    heard = timbre[side.is_sounding]
    relative = (timbre - heard.mean(dim=0)) / heard.std(dim=0, correction=0).clamp(min=LEAST_DEVIATION)
    level = LEVEL_WEIGHT * levels.mean(dim=1, keepdim=True)
    return torch.cat([relative * weight, level, RISE_WEIGHT * side.rise[:, None] / FULL_RISE], dim=1)


def _fit_levels(frames: Tensor, given: _Side, bank: _Side) -> Tensor:
    """The given sound's levels, brought to where the corpus' are; a range that is wider than theirs is narrowed.

    What is too quiet to be heard is taken to be as loud as what just is; see `transfer_path` for the rest.
    """
    narrowed = min(1.0, bank.span / max(given.span, LEAST_DEVIATION)) ** RANGE_FITTED
    fitted: Tensor = bank.top + narrowed * (frames - given.top).clamp(min=-SOUNDING)
    return fitted


def _release(level: Tensor) -> Tensor:
    """A level that rises as it does and falls no faster than `RELEASE`. `[K]` → `[K]`.

    >>> _release(torch.tensor([-1.0, 0.0, -1.0]))
    tensor([-1.0000,  0.0000, -0.0500])
    """
    fallen = RELEASE * torch.arange(len(level), dtype=torch.float64)
    highest: Tensor = (level + fallen).cummax(dim=0).values
    return (highest - fallen).float()


@dataclass(frozen=True)
class _Search:
    """The cheapest way through the bank along a given sound."""

    given: Tensor
    """`[K, C]`."""
    bank: Tensor
    """`[N, C]`."""
    side: _Side
    """The given sound."""
    is_used: Tensor
    """Places of the bank that may be used, `[N]`."""
    goes_on: Tensor
    """See `find_successors`, `[N]`."""

    def follow(self, memory: int) -> Iterator[Tensor]:
        """Places in the bank, stretch after stretch, each `[…]`, as many as the given sound has points."""
        leaving = memory * COST_OF_MEMORY * self._find_gain()
        cost = leaving * (1.0 - ONSET_DISCOUNT * self.side.rise / FULL_RISE)
        last = -1
        for first in range(0, len(self.given), STRETCH_POINTS):
            ahead = slice(first, first + STRETCH_POINTS + AHEAD_POINTS)
            places = self._find_way(self._measure(ahead), cost[ahead], last)[:STRETCH_POINTS]
            last = int(places[-1])
            yield places

    def _measure(self, points: slice) -> Tensor:
        """How unlike every place of the bank is to each of some points, `[…, N]`."""
        unlike = torch.cdist(self.given[points], self.bank).square()
        unlike[~self.side.is_sounding[points]] *= SILENT_WEIGHT
        return unlike.masked_fill_(~self.is_used, NEVER)

    def _find_gain(self) -> float:
        """What the likest place gains over any, on the average of some points."""
        points = torch.tensor(subsample_evenly(self.side.is_sounding.nonzero()[:, 0].tolist(), STRETCH_POINTS))
        unlike = torch.cdist(self.given[points], self.bank[self.is_used]).square()
        return float((unlike.mean(dim=1) - unlike.amin(dim=1)).mean())

    def _find_way(self, unlike: Tensor, cost: Tensor, last: int) -> Tensor:
        """The cheapest places, one for each point.

        Args:
            unlike: `[K, N]`.
            cost: of leaving a passage before each point, `[K]`.
            last: the place before the first; none if below 0.
        """
        n_points, n_places = unlike.shape
        total = unlike[0].clone()
        if last >= 0:
            total += cost[0]
            if self.goes_on[last]:
                total[last + 1] = unlike[0, last + 1]
        stayed, cheapest = torch.zeros(n_points, n_places, dtype=torch.bool), [0] * n_points
        going_on = torch.full((n_places,), NEVER)
        for point in range(1, n_points):
            going_on[1:] = torch.where(self.goes_on[:-1], total[:-1], NEVER)
            cheapest[point] = int(total.argmin())
            leaving = total[cheapest[point]] + cost[point]
            torch.le(going_on, leaving, out=stayed[point])
            total = torch.minimum(going_on, leaving) + unlike[point]
        places = [int(total.argmin())]
        for point in range(n_points - 1, 0, -1):
            places.append(places[-1] - 1 if stayed[point, places[-1]] else cheapest[point])
        return torch.tensor(places[::-1])
