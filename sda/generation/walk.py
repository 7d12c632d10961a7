"""A walk over the map of sound: a path through the plane becomes passages of the sounds that lie along it.

The way back from the plane is by neighbours: where the path goes, one passage plays for as long as it stays among the
nearest, then another of them, the nearer the likelier.

Letters in the shapes: `K` points of a path through the latents, `W` points of a way through the plane, `P` places.
"""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from sda.errors import ConfigError
from sda.generation.atlas import HELD_OUT, Atlas, build_atlas
from sda.generation.curves import Curve
from sda.generation.modes import Note
from sda.generation.passages import Player, find_successors, take_bank
from sda.generation.synthesizer import Synthesizer, note_sources, take_seed
from sda.models.priors.prior import Drawn

STRETCH_POINTS = 256
N_NEAREST = 8
"""Places of which one is played; of a map of few, a quarter of them."""
LEAST_STAY_S = 0.3
"""A passage plays for so long, whatever lies nearer by then: more often, it would flutter."""
REMEMBERED = 2
"""A place that was set out from last is not set out from again, so long as there are others near."""
STEEPNESS = 2.0
"""How much likelier the nearest place is than the farthest of the near ones: e to the power of this, or less."""

Way = Sequence[tuple[float, float, float]]
"""Points of a way through the plane: seconds, x and y, in the order of time."""


def walk_stretches(
    synthesizer: Synthesizer,
    atlas: Atlas,
    way: Way,
    n_samples: int,
    *,
    seed: int,
    number: int,
    uses_held_out: bool = False,
    note: Note | None = None,
) -> Iterator[Tensor]:
    """The sound of a way through the plane. → blocks of `n_samples` in all.

    Args:
        way: straight lines between its points.
        uses_held_out: held-out sound is played too.
        note: told where every stretch is from; recordings are `atlas.names`.
    """
    own_seed = take_seed(seed, number)
    n_points = synthesizer.count_points(n_samples)
    drawn = walk_path(atlas, way, n_points, seed=own_seed, uses_held_out=uses_held_out)
    return synthesizer.decode_stretches(note_sources(drawn, note), n_samples, own_seed)


def map_sound(synthesizer: Synthesizer) -> Atlas:
    """The map of what a model was trained on.

    Raises:
        ConfigError: its prior remembers no sound.
    """
    return build_atlas(
        take_bank(synthesizer.prior, "walk"), synthesizer.hop_samples / synthesizer.features.sample_rate_hz
    )


def lead_past(atlas: Atlas, places: Sequence[int], duration_s: float) -> Way:
    """A way past some places, evenly spread over a time.

    Args:
        places: indices of `atlas.places`, one or more.
    """
    apart_s = duration_s / max(1, len(places) - 1)
    return [(number * apart_s, atlas.places[place].x, atlas.places[place].y) for number, place in enumerate(places)]


def walk_path(atlas: Atlas, way: Way, n_points: int, *, seed: int, uses_held_out: bool = False) -> Iterator[Drawn]:
    """The path through the latents along a way through the plane, stretch by stretch, `n_points` in all.

    Raises:
        ConfigError: nothing on the map may be played, or the way has no points or goes back in time.
    """
    times_s = [time_s for time_s, _, _ in way]
    if not way or times_s != sorted(times_s):
        raise ConfigError(f"a way through the plane has points in the order of time: {list(way)} has not.")
    usable = torch.tensor([uses_held_out or place.side != HELD_OUT for place in atlas.places])
    if not usable.any():
        raise ConfigError("there is nothing on the map but held-out sound, which is played with uses_held_out alone.")
    return _walk(atlas, way, usable, n_points, seed)


def _walk(atlas: Atlas, way: Way, usable: Tensor, n_points: int, seed: int) -> Iterator[Drawn]:
    generator = torch.Generator().manual_seed(seed)
    times_s, *sides = (tuple(float(value) for value in column) for column in zip(*way, strict=True))
    x, y = (Curve(times_s, values) for values in sides)
    goes_on, points = find_successors(atlas.rows), atlas.points
    player = Player(atlas.rows, len(atlas.names))
    n_nearest = max(1, min(N_NEAREST, int(usable.sum()) // 4))
    n_stay = max(1, round(LEAST_STAY_S / atlas.hop_s))
    state, n_played, recent = -1, 0, list[int]()
    for start in range(0, n_points, STRETCH_POINTS):
        now_s = torch.arange(start, min(n_points, start + STRETCH_POINTS)) * atlas.hop_s
        apart = torch.cdist(torch.stack([x.at(now_s), y.at(now_s)], dim=1), points)
        distances, nearest = apart.masked_fill_(~usable, torch.inf).sort(dim=1, stable=True)
        states = []
        for near, far in zip(nearest[:, :n_nearest].tolist(), distances[:, :n_nearest], strict=True):
            following = int(atlas.place_of[state + 1]) if state >= 0 and goes_on[state] else -1
            if following >= 0 and (n_played < n_stay or following in near):
                state, n_played = state + 1, n_played + 1
            else:
                place = near[0] if state < 0 else _choose(near, far, recent, generator)
                recent = [*recent, place][-REMEMBERED:]
                state, n_played = int(atlas.first[place]), 1
            states.append(state)
        yield player.play(torch.tensor(states), torch.zeros(len(states), dtype=torch.bool))


def _choose(near: list[int], distances: Tensor, recent: list[int], generator: torch.Generator) -> int:
    """One of the nearest places, by chance."""
    likely = (-STEEPNESS * distances / distances[-1].clamp(min=1e-9)).exp()
    fresh = torch.tensor([place not in recent for place in near])
    if fresh.any():
        likely = likely * fresh
    return near[int(torch.multinomial(likely, 1, generator=generator))]
