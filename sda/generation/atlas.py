"""A map of sound: every second of it has a place in the plane, by its latents, where neighbours stay neighbours.

It is made from the latents that a mosaic keeps, without any sound files, and of held-out sound that was encoded.

Letters in the shapes: `N` latents, `P` places, `D` latent dimensions.
"""

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from sda.errors import ConfigError
from sda.models.plane import arrange_neighbours, project
from sda.models.priors.bank import Rows
from sda.models.priors.mosaic import Mosaic
from sda.models.priors.prior import Recording

PLACE_S = 1.0
"""Length of what has a place of its own."""
FEWEST_ARRANGED = 8
"""With fewer places there are no neighbourhoods: they lie by variance."""
TRAIN, HELD_OUT = "train", "held_out"
_NAMED = re.compile(r"\s*(?P<name>.+?)@(?P<at_s>[\d.]+)\s*(?:,|$)")


@dataclass(frozen=True)
class Place:
    """A second of sound in the plane."""

    recording: str
    start_s: float
    side: str
    """`train` or `held_out`."""
    x: float
    """In [0, 1], as is `y`."""
    y: float


@dataclass(frozen=True)
class Atlas:
    """All places, and the latents that lie behind them."""

    places: tuple[Place, ...]
    rows: Rows
    """The bank's, and behind them those of held-out sound."""
    names: list[str]
    """Recordings, in the order of `rows.owner`."""
    first: Tensor
    """Where in `rows` each place begins, `[P]`."""
    place_of: Tensor
    """The place of each latent of `rows`, −1 for silence before and behind recordings, `[N]`."""
    hop_s: float
    """Seconds from one latent to the next."""

    @property
    def points(self) -> Tensor:
        """Where the places lie, `[P, 2]`."""
        return torch.tensor([[place.x, place.y] for place in self.places])

    def find(self, recording: str, at_s: float) -> int:
        """The place that holds a moment of a recording.

        Args:
            recording: its name, or the end of its name where no other ends so.

        Raises:
            ConfigError: there is no such recording, or several, or it is not so long.
        """
        known = list(dict.fromkeys(place.recording for place in self.places))
        fits = [name for name in known if name == recording] or [
            name for name in known if name.replace("\\", "/").endswith(f"/{recording}")
        ]
        if not fits:
            alike = difflib.get_close_matches(recording, known, n=3, cutoff=0.3) or known[:3]
            raise ConfigError(
                f"there is no recording {recording} on the map of what the run was trained on: "
                f"give one of its {len(known)}, such as {', '.join(alike)}."
            )
        if len(fits) > 1:
            raise ConfigError(f"{recording} is the name of {len(fits)} recordings: give one of {', '.join(fits[:3])}.")
        own = [number for number, place in enumerate(self.places) if place.recording == fits[0]]
        end_s = self.places[own[-1]].start_s + PLACE_S
        begun = [number for number in own if self.places[number].start_s <= at_s < end_s]
        if not begun:
            begin_s = self.places[own[0]].start_s
            raise ConfigError(
                f"{recording}@{at_s:g} is not on the map: it has {fits[0]} from {begin_s:g} to {end_s:g} s."
            )
        return begun[-1]


def build_atlas(prior: Mosaic, hop_s: float, held_out: Sequence[Recording] = (), *, seed: int = 0) -> Atlas:
    """A map of what a prior remembers, and of held-out sound; the same seed gives the same map.

    Args:
        hop_s: seconds from one latent to the next.
        held_out: paths of sound that was not trained on; a name that the prior knows too is refused.

    Raises:
        ValueError: a held-out recording has the name of one that was trained on.
    """
    names = [*prior.names, *(one.name for one in held_out)]
    if len(set(names)) < len(names):
        raise ValueError("a held-out recording has the name of one that was trained on")
    rows = _append(prior.rows, held_out, len(prior.names))
    is_pause = torch.cat([prior.rows.find_pauses(prior.edges), *(_find_edges(one) for one in held_out)])
    place_of, first = _cut(rows, ~is_pause, hop_s)
    xy = _lay_out(_describe(prior._look_at(rows.latents.T), place_of, len(first)), seed)
    places = tuple(
        Place(
            names[int(rows.owner[begin])],
            round(max(0.0, float(int(rows.place[begin]) * hop_s)), 3),
            TRAIN if int(rows.owner[begin]) < len(prior.names) else HELD_OUT,
            *point,
        )
        for begin, point in zip(first.tolist(), xy.tolist(), strict=True)
    )
    return Atlas(places, rows, names, first, place_of, hop_s)


def parse_places(text: str) -> list[tuple[str, float]]:
    """Moments of recordings as they are written.

    >>> parse_places("rain_01.wav@1.5, rain_04.wav@0")
    [('rain_01.wav', 1.5), ('rain_04.wav', 0.0)]

    Raises:
        ConfigError: they are not written so.
    """
    found, end = [], 0
    for match in _NAMED.finditer(text):
        if match.start() != end or match["at_s"].count(".") > 1 or match["at_s"] == ".":
            break
        found.append((match["name"].strip(), float(match["at_s"])))
        end = match.end()
    if not found or end < len(text):
        raise ConfigError(f"places={text} is not understood: give NAME@SECONDS, such as rain_01.wav@1.5,rain_04.wav@0.")
    return found


def _append(rows: Rows, held_out: Sequence[Recording], n_names: int) -> Rows:
    """The rows with a row for each held-out recording behind them."""
    owner, place, row, latents = [rows.owner], [rows.place], [rows.row], [rows.latents]
    for number, one in enumerate(held_out):
        n_latents = one.latents.shape[1]
        latents.append(one.latents.T.cpu())
        owner.append(torch.full((n_latents,), n_names + number))
        place.append(one.start + torch.arange(n_latents))
        row.append(torch.full((n_latents,), int(rows.row[-1]) + 1 + number))
    return Rows(torch.cat(latents), torch.cat(owner), torch.cat(place), torch.cat(row))


def _find_edges(recording: Recording) -> Tensor:
    places = torch.arange(recording.latents.shape[1])
    return (places < recording.lead) | (places >= len(places) - recording.tail)


def _cut(rows: Rows, is_sound: Tensor, hop_s: float) -> tuple[Tensor, Tensor]:
    """The place of each latent `[N]`, and where each begins `[P]`; what is left of less than half a second belongs to
    the place before it."""
    n_place = max(1, round(PLACE_S / hop_s))
    owner, place = rows.owner[is_sound].long(), rows.place[is_sound].clamp(min=0)
    last = torch.zeros(int(rows.owner.max()) + 1, dtype=torch.int64).scatter_reduce(0, owner, place, "amax")
    most = ((last + 1 + n_place // 2) // n_place - 1).clamp(min=0)
    second = torch.minimum(place // n_place, most[owner])
    keys, number = torch.unique(torch.stack([owner, second], dim=1), dim=0, return_inverse=True)
    earliest = torch.full((len(keys),), 2**62).scatter_reduce(0, number, place, "amin")
    at_start = (place == earliest[number]).nonzero()[:, 0]
    indices = is_sound.nonzero()[:, 0]
    first = torch.full((len(keys),), 2**62).scatter_reduce(0, number[at_start], indices[at_start], "amin")
    place_of = torch.full((len(is_sound),), -1)
    place_of[indices] = number
    return place_of, first


def _describe(looked_at: Tensor, place_of: Tensor, n_places: int) -> Tensor:
    """What each place is like, and how much it moves. `[N, D]` → `[P, 2 · D]`."""
    inside = place_of >= 0
    number, values = place_of[inside], looked_at[inside].double()
    count = torch.bincount(number, minlength=n_places).double()[:, None]
    nothing = torch.zeros(n_places, values.shape[1], dtype=torch.float64)
    mean = nothing.index_add(0, number, values) / count
    square = nothing.index_add(0, number, values.square()) / count
    return torch.cat([mean, (square - mean.square()).clamp(min=0.0).sqrt()], dim=1).float()


def _lay_out(vectors: Tensor, seed: int) -> Tensor:
    """`[P, 2 · D]` → `[P, 2]` in [0, 1], both directions on one scale."""
    if len(vectors) >= FEWEST_ARRANGED:
        xy = torch.from_numpy(arrange_neighbours(vectors, seed))
    elif len(vectors) > 1:
        xy = torch.from_numpy(project(vectors, vectors)[0][0])
    else:
        return torch.full((1, 2), 0.5)
    if xy.shape[1] < 2:
        xy = torch.cat([xy, torch.zeros(len(xy), 1)], dim=1)
    low, high = xy.amin(dim=0), xy.amax(dim=0)
    return ((xy - (low + high) / 2) / (high - low).amax().clamp(min=1e-9) + 0.5).clamp(0.0, 1.0).float()
