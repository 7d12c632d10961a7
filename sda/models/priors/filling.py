"""Denoising of one window of a mosaic, from noise to latents.

It is drawn at a coarse rate first, where a few latents span seconds, then finer and finer.

Letters in the shapes: `D` latent dimensions, `W` latents of a window, `R` recordings.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from sda.models.priors.matching import Matcher, Noise
from sda.models.priors.movement import Slots, deal_nothing

RADIUS = 6
"""Latents of a level on either side that a place is compared with."""
LAST_RADIUS = 1
"""The same at the end of the finest level."""
WINDOW_BLOCKS = 8
"""Latents of the coarsest level that are drawn at a time, and as many before them are looked back on."""
AHEAD_BLOCKS = 4
"""The same that are drawn behind them and dropped: what is kept has something that it goes on to."""
FEWEST_NEW = 32
"""Latents that are drawn at a time at least."""

FIRST_SIGMA = 1.5
"""Deviation of the noise that is put on passages of the bank, whose own is about 1, for a path to start from."""
COARSE_SIGMA = 0.3
"""The same where the coarsest level ends."""
ADDED_SIGMA = 0.9
"""Of the noise that is added where a finer level begins, for what it has to add to the coarser one."""
FINER_SIGMA = 0.25
"""The same where a level ends that is neither the coarsest nor the finest."""
LAST_SIGMA = 0.02
"""The same at the end."""
COARSE_STEPS, FINER_STEPS, LAST_STEPS = 12, 6, 10
"""Steps of denoising at the coarsest level, at those between, and at the finest."""

MOST_SEARCHED = 4096
"""Latents of a bank that the finer levels are searched through, 3 minutes: of a larger one, the recordings that fit the
coarsest level best."""

KEPT = 16
"""Latents of a level around what is free that are looked at."""


class Stage(NamedTuple):
    """One level on the way from noise to a path."""

    factor: int
    radii: list[int]
    sigmas: list[float]
    """Deviation of the noise before each step."""


class Filled(NamedTuple):
    """A window that was drawn."""

    values: Tensor
    """`[W, D]`."""
    shares: Tensor
    """`[W, R]`, see `Drawn`."""
    places: Tensor
    """`[W]`, see `Drawn`."""


class Grid(NamedTuple):
    """A window at the rate of a level, of `G` latents."""

    is_known: Tensor
    """`[G]`."""
    since: Tensor | None
    """See `Noise`, `[G]`."""
    seen: slice
    """What is looked at of it."""

    def describe(self, sigma: float, radius: int) -> Noise:
        """What there is to know of what is looked at."""
        return Noise(sigma, self.is_known[self.seen], radius, None if self.since is None else self.since[self.seen])


@dataclass(frozen=True)
class Course:
    """What the windows of one path have in common."""

    stages: list[Stage]
    matchers: Callable[[int], Matcher]
    """The denoiser of a level, by its factor."""
    n_recordings: int
    slots: Slots
    generator: torch.Generator
    temperature: float
    strength: float = 1.0
    """How far what is varied is left behind."""
    origin: int | None = None
    """The recording that a path sets out from; any that fits if not given."""
    is_paced: bool = False
    """It is one sound, and goes on no faster or slower than recordings do."""

    def fill(self, values: Tensor, fixed: Tensor, given: Tensor | None = None, *, begin: int = 0) -> Filled:
        """Draw what is not fixed of a window.

        Args:
            values: what is known of it, `[W, D]`.
            fixed: which of its latents are known, `[W]`.
            given: what is varied, `[W, D]`: so many of the first steps are left out that `strength` of all remain.
            begin: which latent of the path the first of the window is, below 0 before its beginning.
        """
        n_steps = sum(len(stage.sigmas) for stage in self.stages)
        n_skipped = 0 if given is None else n_steps - round(self.strength * n_steps)
        drawn, matchers = torch.zeros(0), self.matchers
        for stage in self.stages:
            known = _take_means(values, stage.factor)
            grid = self._lay(fixed, begin, stage.factor)
            noise = self.temperature * torch.randn(known.shape, generator=self.generator)
            if n_skipped >= len(stage.sigmas):
                n_skipped -= len(stage.sigmas)
                continue
            if len(drawn):
                base = drawn.repeat_interleave(len(known) // len(drawn), dim=0)
            elif given is not None:
                base = _take_means(given, stage.factor)
            else:
                origin = None if self.origin is None else (-begin, self.origin)
                passages = self.matchers(1).draw(values, fixed, self.generator, origin)
                base = _take_means(passages, stage.factor)
            drawn = torch.where(grid.is_known[:, None], known, base + stage.sigmas[n_skipped] * noise)
            self._descend(stage, matchers(stage.factor), n_skipped, drawn, grid)
            n_skipped = 0
            if stage.factor > 1 and matchers is self.matchers:
                matchers = self._narrow(stage, drawn, grid)
        if given is not None and not len(drawn):
            drawn = given.clone()
        last, matcher = self.stages[-1], matchers(1)
        grid = self._lay(fixed, begin, 1)
        seen, noise_left = grid.seen, grid.describe(last.sigmas[-1], last.radii[-1])
        clean, shares, places = matcher.finish(drawn[seen], noise_left, self.slots, self.n_recordings)
        drawn[seen] = torch.where(fixed[seen, None], drawn[seen], clean)
        if given is not None and self.strength < 1.0:  # what the bank does not know of it is kept in part
            known_of_it = matcher.denoise(given[seen], noise_left, self.slots)
            drawn[seen] += (1.0 - self.strength) * (~fixed[seen, None]) * (given[seen] - known_of_it)
        whence, where = torch.zeros(len(values), self.n_recordings), torch.full((len(values),), -1)
        whence[seen], where[seen] = shares, places
        return Filled(drawn, whence, where)

    def _lay(self, fixed: Tensor, begin: int, factor: int) -> Grid:
        """What is known of a window, at the rate of a level; see `fill`."""
        is_known = fixed.view(-1, factor).all(dim=1)
        since = begin + factor * torch.arange(len(is_known)) + factor // 2
        return Grid(is_known, since if self.is_paced else None, _find_seen(is_known))

    def _narrow(self, stage: Stage, drawn: Tensor, grid: Grid) -> Callable[[int], Matcher]:
        """The denoisers of the finer levels: of a large bank, by the recordings alone that fit what was drawn."""
        owner = self.matchers(1).level.owner
        sizes = torch.bincount(owner[owner >= 0].long(), minlength=self.n_recordings)
        if int(sizes.sum()) <= MOST_SEARCHED:
            return self.matchers
        noise_left = grid.describe(stage.sigmas[-1], stage.radii[-1])
        matcher = self.matchers(stage.factor)
        fewest = len(self.slots.part)
        chosen = matcher.choose(drawn[grid.seen], noise_left, sizes, most=MOST_SEARCHED, fewest=fewest)
        narrowed: dict[int, Matcher] = {}

        def find(factor: int) -> Matcher:
            if factor not in narrowed:
                narrowed[factor] = self.matchers(factor).take(chosen)
            return narrowed[factor]

        return find

    def _descend(self, stage: Stage, matcher: Matcher, first: int, noisy: Tensor, grid: Grid) -> None:
        """Take the steps of a level from one on, in place; of the finest level, all but the last."""
        n_steps = len(stage.sigmas)
        slots = self.slots if stage.factor == 1 else deal_nothing(noisy.shape[1])  # what moves is finer than that
        for step in range(first, n_steps - 1 if stage.factor == 1 else n_steps):
            sigma, window = stage.sigmas[step], noisy[grid.seen]
            clean = matcher.denoise(window, grid.describe(sigma, stage.radii[step]), slots)
            following = stage.sigmas[step + 1] if step + 1 < n_steps else 0.0
            moved = clean + following / sigma * (window - clean)
            noisy[grid.seen] = torch.where(grid.is_known[grid.seen, None], window, moved)


def _take_means(values: Tensor, factor: int) -> Tensor:
    """`[W, D]` → `[W / factor, D]`."""
    return values.view(-1, factor, values.shape[1]).mean(dim=1)


def _find_seen(is_known: Tensor) -> slice:
    """What is looked at of a window: what is to be drawn, and a little around it."""
    free = (~is_known).nonzero()[:, 0]
    return slice(max(0, int(free[0]) - KEPT), int(free[-1]) + 1 + KEPT)


def plan(memory: int) -> list[Stage]:
    """The levels from noise to a path, the coarsest of which compares places `memory` latents long or so."""
    factor = 1
    while memory / factor > WINDOW_BLOCKS:
        factor *= 2
    widest = max(LAST_RADIUS, round(memory / (2 * factor)))
    if factor == 1:
        n_steps = COARSE_STEPS + LAST_STEPS
        return [Stage(1, _fall_whole(widest, n_steps), _fall(FIRST_SIGMA, LAST_SIGMA, n_steps))]
    stages = [Stage(factor, [widest] * COARSE_STEPS, _fall(FIRST_SIGMA, COARSE_SIGMA, COARSE_STEPS))]
    while factor > 2:
        factor //= 2
        stages.append(Stage(factor, [RADIUS] * FINER_STEPS, _fall(ADDED_SIGMA, FINER_SIGMA, FINER_STEPS)))
    stages.append(Stage(1, _fall_whole(RADIUS - 1, LAST_STEPS), _fall(ADDED_SIGMA, LAST_SIGMA, LAST_STEPS)))
    return stages


def _fall(first: float, last: float, n_steps: int) -> list[float]:
    """By the same factor from step to step."""
    return [first * (last / first) ** (step / (n_steps - 1)) for step in range(n_steps)]


def _fall_whole(first: int, n_steps: int) -> list[int]:
    """By the same amount from step to step, down to `LAST_RADIUS`."""
    return [round(first + (LAST_RADIUS - first) * step / (n_steps - 1)) for step in range(n_steps)]
