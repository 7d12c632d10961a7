"""A prior that remembers: new paths are put together from places of training sound whose surroundings fit.

A path starts as noise and is denoised by a bank of training paths, see `filling` and `matching`. Nothing is trained,
and of everything that comes out it is known where it is from. Long paths are made window by window, each beginning
with what was drawn last.

Letters in the shapes: `D` latent dimensions, `W` latents of a window, `K` latents of a path, `N` latents of the bank,
`R` recordings.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import Tensor

from sda.models.priors.bank import MOST_WRAPPED, Rows, chain, coarsen
from sda.models.priors.filling import AHEAD_BLOCKS, FEWEST_NEW, WINDOW_BLOCKS, Course, plan
from sda.models.priors.matching import Matcher
from sda.models.priors.movement import deal
from sda.models.priors.prior import Drawn, Manner, Prior, Recording, check_names, choose_passages, spread_out

MOST_LATENTS = 32_768
"""Latents of the bank, 23 minutes at 23.4 a second: what a step costs grows with it, and a checkpoint by 8 MB."""

MOST_REMEMBERED = 1500
"""Latents of a path that is remembered, about a minute."""
LEAST_DEVIATION = 1e-3
"""Of a dimension: one that never changes is not looked at."""
MOST_DEALT = 0.8
"""Of how a recording moves, what others move at the greatest novelty."""
SCALE = 0.4
"""Power of novelty that this goes by: what the first few dimensions change is heard most."""


class Mosaic(Prior):
    """A bank of training paths, and the local denoiser on it.

    At a novelty of 0, a latent is that of the recording whose surroundings fit best. Above, it still sounds as that
    recording does around there, but its movement is dealt out, dimension by dimension: in some, the recording that fits
    next best moves it. A note keeps its pitch and has another's bloom; where values themselves were dealt out, it would
    be two notes at once. `Manner.novelty` decides how many dimensions others move, those that move least first: at 0.1
    those that hold 32 % of the movement, by amplitude, 61 % at 0.5, and 80 % at 1, where four share in them.
    """

    name = "mosaic"
    holds_sound = True
    most_latents = MOST_LATENTS

    def __init__(self, latent_dim: int):
        super().__init__(latent_dim)
        nothing = torch.zeros(0, dtype=torch.int64)
        self.emphasis = torch.ones(latent_dim)
        """What a unit of each dimension counts in a distance, `[D]`."""
        self.mean = torch.zeros(latent_dim)
        self.rows = Rows(torch.zeros(0, latent_dim), nothing, nothing, nothing)
        self.edges = torch.zeros(len(self.names), 2, dtype=torch.int64)
        """Latents of silence before and behind each recording, `[R, 2]`."""
        self._matchers: dict[tuple[int, bool], Matcher] = {}
        self._last: tuple[tuple[int, int, Manner, bool], list[Drawn]] | None = None

    @torch.no_grad()
    def fit(self, recordings: Sequence[Recording], *, emphasis: Tensor | None = None, seed: int = 0) -> None:
        if not recordings:
            raise ValueError("a prior needs at least one recording")
        self.note_recordings(recordings)
        taken = _take(recordings, self.most_latents)
        every = torch.cat([one.latents for one in taken], dim=1).double()
        deviation = every.std(dim=1, correction=0)
        heard = 1.0 / deviation.clamp(min=LEAST_DEVIATION) if emphasis is None else emphasis.cpu().double()
        loud = (heard * deviation).square().mean().sqrt().clamp(min=LEAST_DEVIATION)
        self.emphasis = torch.where(deviation > LEAST_DEVIATION, heard / loud, 0.0).float()
        self.mean = every.mean(dim=1).float()
        self.rows = chain(taken, [self.names.index(one.name) for one in taken], seed)
        self.edges = torch.zeros(len(self.names), 2, dtype=torch.int64)
        for one in taken:
            edges = self.edges[self.names.index(one.name)]
            edges.copy_(torch.maximum(edges, torch.tensor([one.lead, one.tail])))
        self._matchers, self._last = {}, None

    def sample(self, n_latents: int, seed: int, manner: Manner, *, whole: bool = False) -> Iterator[Drawn]:
        """As `Prior.sample`; what was drawn last is remembered, so that it can be heard in another way at once."""
        asked = (n_latents, seed, manner, whole)
        if self._last is not None and self._last[0] == asked:
            yield from self._last[1]
            return
        drawn = []
        for stretch in self._sample(n_latents, seed, manner, whole=whole):
            drawn.append(stretch)
            yield stretch
        if n_latents <= MOST_REMEMBERED:
            self._last = asked, drawn

    @torch.no_grad()
    def _sample(self, n_latents: int, seed: int, manner: Manner, *, whole: bool) -> Iterator[Drawn]:
        generator, owner = torch.Generator().manual_seed(seed), self.rows.owner
        origin = self.choose_recording(seed) if whole else int(owner[int(spread_out(seed) * len(owner))])
        course = self._set_out(generator, manner, is_inside=whole, origin=origin if whole else None)
        past = future = self.mean[:, None][:, :0]
        begins, ends = (self.edges[origin] > 0).tolist()
        if begins:
            past = self._find_edge(origin, 0)
            if whole and ends:
                future = self._find_edge(origin, 1)
        return self._walk(replace(course, origin=origin, is_paced=whole and begins), n_latents, past, future)

    @torch.no_grad()
    def continue_(
        self, past: Tensor, n_latents: int, seed: int, manner: Manner, *, future: Tensor | None = None
    ) -> Iterator[Drawn]:
        generator = torch.Generator().manual_seed(seed)
        future = past[:, :0] if future is None else future
        return self._walk(self._set_out(generator, manner), n_latents, past, future)

    @torch.no_grad()
    def vary(self, path: Tensor, strength: float, seed: int, manner: Manner) -> Iterator[Drawn]:
        generator = torch.Generator().manual_seed(seed)
        course = self._set_out(generator, manner, strength)
        return self._walk(course, path.shape[1], path[:, :0], path[:, :0], path)

    def tensors(self) -> dict[str, Tensor]:
        rows = {"latents": self.rows.latents, "owner": self.rows.owner, "place": self.rows.place, "row": self.rows.row}
        statistics = {"emphasis": self.emphasis, "mean": self.mean, "edges": self.edges, "lengths": self.lengths}
        return rows | statistics

    def facts(self) -> dict[str, Any]:
        return {"names": self.names}

    def restore(self, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
        names, rows = check_names(facts["names"]), Rows(*(tensors[key] for key in ("latents", "owner", "place", "row")))
        n_latents, n_dims = rows.latents.shape
        emphasis, mean, edges, lengths = (tensors[key] for key in ("emphasis", "mean", "edges", "lengths"))
        whole = {torch.int64}
        if (
            not 0 < n_latents <= 2 * self.most_latents + len(names) * (1 + 2 * MOST_WRAPPED)
            or n_dims != self.latent_dim
            or any(one.shape != (n_latents,) or one.dtype not in whole for one in (rows.owner, rows.place, rows.row))
            or any(one.shape != (n_dims,) or not one.isfinite().all() for one in (emphasis, mean))
            or edges.shape != (len(names), 2)
            or bool((edges < 0).any() | (edges > n_latents).any())
            or lengths.shape != (len(names),)
            or {edges.dtype, lengths.dtype} != whole
            or rows.latents.dtype != torch.float32
            or not rows.latents.isfinite().all()
        ):
            raise ValueError("its bank has not the form of one")
        if (
            int(rows.owner.min()) < 0
            or int(rows.owner.max()) >= len(names)
            or int(torch.bincount(rows.owner, minlength=len(names)).min()) < 1
            or int(rows.row.diff().amin() if n_latents > 1 else 0) < 0
            or bool((emphasis < 0).any())
            or int(lengths.min()) < 1
        ):
            raise ValueError("its bank holds what cannot be")
        self.names, self.rows, self.edges, self.lengths = names, rows, edges, lengths
        self.emphasis, self.mean = emphasis.float(), mean.float()
        self._matchers, self._last = {}, None

    def _find_edge(self, recording: int, side: int) -> Tensor:
        """The silence before or behind a recording, `[D, …]`: its own, and that of its neighbour in the row.

        Both together, as a pause is: what follows a part of it may be more of it.
        """
        rows, step = self.rows, -1 if side == 0 else 1
        own = (rows.owner == recording).nonzero()[:, 0]
        places = rows.place[own]
        outermost = own[places == (places.amin() if side == 0 else places.amax())].tolist()
        longest = torch.zeros(0, dtype=torch.int64)
        for place in outermost:  # what a row was continued with is there twice, and may be cut off
            inner, outer = place - step * (int(self.edges[recording, side]) - 1), place
            while 0 <= outer + step < len(rows.row) and rows.row[outer + step] == rows.row[place]:
                neighbour = int(rows.owner[outer + step])
                if abs(outer + step - place) > int(self.edges[neighbour, 1 - side]) or neighbour == recording:
                    break
                outer += step
            found = torch.arange(max(0, min(inner, outer)), min(len(rows.row), max(inner, outer) + 1))
            longest = found if len(found) > len(longest) else longest
        return rows.latents[longest].T

    def _set_out(
        self,
        generator: torch.Generator,
        manner: Manner,
        strength: float = 1.0,
        *,
        is_inside: bool = False,
        origin: int | None = None,
    ) -> Course:
        """What the windows of a path have in common.

        Args:
            is_inside: it is one sound, and not several with pauses between them.
            origin: the recording whose movement is dealt out; that of all if not given.
        """
        if not len(self.rows.latents):
            raise ValueError("the prior was not fitted")
        level = self._match(1).level
        own = (level.owner >= 0) if origin is None else (level.owner == origin)
        loudness, movement = (one[own].std(dim=0, correction=0) for one in (level.bank, level.movement))
        most = 1.0 - MOST_DEALT * manner.novelty**SCALE
        return Course(
            plan(manner.memory),
            partial(self._match, is_inside=is_inside),
            len(self.names),
            deal(loudness, movement, most, len(self.names), generator),
            generator,
            manner.temperature,
            strength,
        )

    def _walk(
        self, course: Course, n_latents: int, past: Tensor, future: Tensor, given: Tensor | None = None
    ) -> Iterator[Drawn]:
        """Window after window: some latents that were there before, those that are new, and what follows, if anything.

        Args:
            given: what is varied, `[D, n_latents]`.
        """
        factor = course.stages[0].factor
        n_new, n_ahead = max(FEWEST_NEW, WINDOW_BLOCKS * factor), AHEAD_BLOCKS * factor
        known, behind = self._look_at(past[:, -n_new:]), self._look_at(future[:, :n_new])
        for n_done in range(0, n_latents, n_new):
            n_left = n_latents - n_done
            first = len(known) + -len(known) % factor  # with what is unknown before it, so that blocks are whole
            end = first + n_new + n_ahead
            values, fixed = torch.zeros(end, self.latent_dim), torch.zeros(end, dtype=torch.bool)
            for start, part in ((first - len(known), known), (first + n_left, behind[: max(0, end - first - n_left)])):
                values[start : start + len(part)], fixed[start : start + len(part)] = part, True
            varied = None
            if given is not None:
                piece = self._look_at(given[:, n_done : n_done + n_new + n_ahead])
                varied = values.clone()
                varied[first : first + len(piece)] = piece
                varied[first + len(piece) :] = piece[-1]
            filled = course.fill(values, fixed, varied, begin=n_done - first)
            own = slice(first, first + min(n_new, n_left))
            yield Drawn(self._return(filled.values[own]), filled.shares[own], filled.places[own])
            known = torch.cat([known, filled.values[own]])[-n_new:]

    def _match(self, factor: int, *, is_inside: bool = False) -> Matcher:
        key = factor, is_inside
        if key not in self._matchers:
            if is_inside:
                self._matchers[key] = Matcher(self._match(factor).level, is_inside)
            else:
                looked_at = replace(self.rows, latents=self._look_at(self.rows.latents.T))
                self._matchers[key] = Matcher(coarsen(looked_at, factor, self.edges))
        return self._matchers[key]

    def _look_at(self, path: Tensor) -> Tensor:
        """Latents as distances are taken between them. `[D, K]` → `[K, D]`."""
        return (path.T.cpu() - self.mean) * self.emphasis

    def _return(self, looked_at: Tensor) -> Tensor:
        """The way back: `[K, D]` → `[D, K]`."""
        scale = torch.where(self.emphasis > 0, 1.0 / self.emphasis.clamp(min=1e-12), 0.0)
        return (looked_at * scale + self.mean).T


def _take(recordings: Sequence[Recording], most: int) -> list[Recording]:
    """Passages of the recordings, `most` latents or so in all, on the CPU."""
    taken = []
    for one, passages in zip(recordings, choose_passages([r.latents.shape[1] for r in recordings], most), strict=True):
        length = one.latents.shape[1]
        for first, last in passages:
            taken.append(
                Recording(
                    one.name,
                    one.latents[:, first:last].cpu(),
                    lead=one.lead if first == 0 else 0,
                    tail=one.tail if last == length else 0,
                    start=one.start + first,
                )
            )
    return taken
