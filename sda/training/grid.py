"""The fixed grid of chunks: where a segment's sound lies, and which chunks are worth training on and judging by."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from sda.audio.span import LEAD_SAMPLES, find_sound
from sda.data.corpus import Corpus
from sda.data.split import Segment

KEPT_SILENCE = 0.05
"""Chunks of digital silence between sounds that are trained on, as a share of those with sound: silence can be learned
from a few."""

LEAST_SOUND = 128
"""Samples of sound that a chunk has at least, if its segment has chunks with more: a resampler rings on for a hundred
behind the last sample of a file, over the edge of a chunk at times, and that is no sound to learn from."""

INDEXED_AT_ONCE = 64
"""Chunks that are looked through for sound at a time: 12 MB."""


class Chunk(NamedTuple):
    """A place on the grid."""

    path: str
    start: int
    """First sample, at the rate of the corpus."""
    first: int
    """First sample of the sound in the segment that the chunk lies in: no visit off the grid reads before it."""
    end: int
    """Sample after the last of the sound in the segment."""


class Grid(NamedTuple):
    """The chunks of a segment."""

    chunks: list[Chunk]
    visited: list[int]
    """Those worth training on: with sound, and a few of the silent ones between them; their numbers."""
    judged: list[int]
    """Those worth judging by: at least half sound, or the most that the segment has."""


def lay_grid(segment: Segment, corpus: Corpus, chunk_samples: int) -> Grid:
    """Cut a segment into chunks, `ceil(samples / chunk_samples)` of them, and see what is in them."""
    n_samples, size = corpus.count_samples(segment.path), chunk_samples
    first = round(segment.start_s * corpus.sample_rate_hz)
    end = n_samples if segment.end_s is None else min(n_samples, round(segment.end_s * corpus.sample_rate_hz))
    starts = range(first, first + math.ceil((end - first) / size) * size, size)
    sounds = _find_sounds(corpus, segment.path, starts, end, size)
    lengths = [last - begin for begin, last in sounds]
    least = min(LEAST_SOUND, max(1, *lengths))
    sounding = [number for number, length in enumerate(lengths) if length >= least]
    if sounding:  # what is silent before and behind is never read by chance
        end = starts[sounding[-1]] + sounds[sounding[-1]][1]
        first = max(first, starts[sounding[0]] + sounds[sounding[0]][0] - LEAD_SAMPLES)
        silent = [number for number in range(sounding[0], sounding[-1]) if lengths[number] == 0]
        n_kept = min(len(silent), math.ceil(KEPT_SILENCE * len(sounding)))
        visited = sorted([*sounding, *(silent[number * len(silent) // n_kept] for number in range(n_kept))])
        most = lengths.index(max(lengths))
        judged = [number for number in sounding if lengths[number] >= size / 2 or number == most]
    else:  # silent as a whole: there is nothing else to learn from it
        visited, judged = list(range(len(starts))), [0]
    return Grid([Chunk(segment.path, start, first, end) for start in starts], visited, judged)


def _find_sounds(
    corpus: Corpus, path: str, starts: Sequence[int], end: int, chunk_samples: int
) -> list[tuple[int, int]]:
    """Where in each of some chunks its sound lies, see `find_sound`."""
    found: list[tuple[int, int]] = []
    for number in range(0, len(starts), INDEXED_AT_ONCE):
        places = [(path, start) for start in starts[number : number + INDEXED_AT_ONCE]]
        found += find_sound(corpus.read(places, chunk_samples, [end] * len(places))).tolist()
    return found
