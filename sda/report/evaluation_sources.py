"""What new sound is made of, as it is drawn: a strip of stretches along time, and the recordings that make up most."""

from collections import Counter
from collections.abc import Sequence
from itertools import groupby
from typing import Any, NamedTuple

from sda.generation.provenance import list_main
from sda.printable import make_printable, name_apart
from sda.report.evaluation_figures import SHARE, to_percent

PALETTE = ("#3f7fd0", "#df7d1c", "#2f9c5d", "#c4458f", "#8b70d8", "#b39700", "#17a3b3", "#b4553d")
"""Of the recordings that are heard for longest; all can be told apart on a white and on a black page."""
NEUTRAL = "#8f8c86"
"""Of all others."""
N_NAMED = 3
"""Recordings of a sound that are named beside its strip."""


class Segment(NamedTuple):
    """A stretch of a sound, lengths and places in percent of the strip."""

    x: float
    width: float
    height: float
    """Share of the recording that makes up most of it."""
    colour: str
    title: str


class Source(NamedTuple):
    """A recording, and how much of a sound it makes up."""

    name: str
    share: str
    colour: str


class SourceStrip(NamedTuple):
    """What one sound is made of."""

    segments: list[Segment]
    words: str
    """The strip for those who cannot see it."""
    length: str
    sources: list[Source]
    """The largest first."""
    n_recordings: int
    """Recordings that make up enough of it to be named."""


def draw_sources(made_of: Sequence[dict[str, Any]], lengths_s: Sequence[float]) -> list[SourceStrip]:
    """A strip for each sound; a recording has one colour in all of them.

    Args:
        made_of: what each is made of, see `Provenance.describe`.
        lengths_s: of what is drawn of each.
    """
    paths = dict.fromkeys(path for one in made_of for path in _list_paths(one))
    names = {path: make_printable(name) for path, name in name_apart(paths).items()}
    colours = _choose_colours(made_of)
    return [_draw(one, length_s, names, colours) for one, length_s in zip(made_of, lengths_s, strict=True)]


def _list_paths(made_of: dict[str, Any]) -> list[str]:
    """Every recording that is named of a sound."""
    named = [source["recording"] for stretch in made_of["stretches"] for source in stretch["sources"]]
    return [*made_of["shares"], *named]


def _choose_colours(made_of: Sequence[dict[str, Any]]) -> dict[str, str]:
    """Colours by recording, for those that are the largest for longest."""
    lengths_s = Counter[str]()
    for one in made_of:
        for stretch in one["stretches"]:
            lengths_s[stretch["sources"][0]["recording"]] += stretch["end_s"] - stretch["start_s"]
    longest = [path for path, _ in lengths_s.most_common(len(PALETTE))]
    return dict(zip(longest, PALETTE, strict=False))  # there may be fewer recordings than colours


def _draw(made_of: dict[str, Any], length_s: float, names: dict[str, str], colours: dict[str, str]) -> SourceStrip:
    stretches = [stretch for stretch in made_of["stretches"] if stretch["start_s"] < length_s]
    segments = []
    for stretch in stretches:
        largest, start_s, end_s = stretch["sources"][0], stretch["start_s"], min(stretch["end_s"], length_s)
        segments.append(
            Segment(
                x=to_percent(start_s / length_s),
                width=to_percent((end_s - start_s) / length_s),
                height=to_percent(largest["share"]),
                colour=colours.get(largest["recording"], NEUTRAL),
                title=f"{start_s:.1f}–{end_s:.1f} s: {_say_sources(stretch['sources'], names)}",
            )
        )
    words = []
    for path, together in groupby(stretches, key=lambda stretch: stretch["sources"][0]["recording"]):
        run = list(together)
        words.append(f"{run[0]['start_s']:.1f}–{min(run[-1]['end_s'], length_s):.1f} s {names[path]}")
    sources = [
        Source(names[path], SHARE.write(share), colours.get(path, NEUTRAL))
        for path, share in list(made_of["shares"].items())[:N_NAMED]
    ]
    return SourceStrip(segments, ", ".join(words), f"{length_s:.1f} s", sources, len(list_main(made_of)))


def _say_sources(sources: Sequence[dict[str, Any]], names: dict[str, str]) -> str:
    places = [f" (from {one['at_s']:.1f} s)" if "at_s" in one else "" for one in sources]
    return ", ".join(
        f"{names[one['recording']]} {SHARE.write(one['share'])}{place}"
        for one, place in zip(sources, places, strict=True)
    )
