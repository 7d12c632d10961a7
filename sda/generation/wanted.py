"""New sounds on a condition: of several that are drawn the nearest is kept, and moved by controls by what it lacks.

What is wanted is a place in the corpus' range for each of some descriptors: 0 is its lower end, 1 its upper one.
Choosing needs no control, so that a sound may be wanted high or rough too; controls go on from what was chosen.
"""

import difflib
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from sda.audio.descriptors import DESCRIPTORS, CorpusRange, Describer
from sda.audio.io import read_mono
from sda.config_field import Range
from sda.errors import ConfigError
from sda.generation.sampling import NewSound
from sda.generation.steering import Steering
from sda.generation.synthesizer import Synthesizer

N_CANDIDATES = 8
"""Sounds that are drawn for each one that is kept."""
CANDIDATE_SEEDS_APART = 1_000_003
"""A prime: the first candidate is the sound that the seed gives without a condition, and each has a seed of its own."""
N_CORRECTIONS = 3
"""Times, at most, that what is still lacking is asked of the controls."""
NEAR_ENOUGH = 0.02
"""Of the corpus' range: what lies so near to what is wanted is moved no more."""
LISTENED_S = 30.0
"""Of every candidate, its beginning, from which it is described."""
N_LEVELS = 2.0**15
"""To full scale, of the 16 bits of a file."""
PLACES = Range(at_least=0.0, at_most=1.0)
"""In the corpus' range."""

Draw = Callable[[Synthesizer, int], NewSound]
"""Draws one sound with a synthesizer and a seed."""


@dataclass(frozen=True)
class Wanted:
    """What new sounds shall be like, and what can be done for it."""

    places: Mapping[str, float]
    """By descriptor, in its corpus' range."""
    ranges: Mapping[str, CorpusRange]
    """Of these descriptors, and of others maybe."""
    reaches: Mapping[str, float]
    """By descriptor, how far a control moves it to either side, in its unit; only those with one that is to be used."""
    steer: Callable[[Mapping[str, float]], Steering | None]
    """What steers a sound that is to be moved by so much of these descriptors, in their units."""
    gain: float = 1.0
    """So much louder sounds are, while they are made and described, than they are written."""

    def find_gaps(self, described: Mapping[str, float]) -> dict[str, float]:
        """What a sound lacks, in its descriptor's unit; without what it has none of."""
        return {
            key: self.ranges[key].find_value(place) - described[key]
            for key, place in self.places.items()
            if key in described
        }

    def measure_distance(self, described: Mapping[str, float]) -> tuple[int, float]:
        """How many of the descriptors a sound does not have, which counts first, and how far away it is by the others.

        The distance is Euclidean, in units of the corpus' ranges.
        """
        gaps = self.find_gaps(described)
        return len(self.places) - len(gaps), math.hypot(*(gap / self.ranges[key].width for key, gap in gaps.items()))

    def describe(self, described: Mapping[str, float]) -> dict[str, dict[str, Any]]:
        """What was wanted and what came out, as a record has it; nothing of what a sound does not have.

        Args:
            described: the sound, as loud as it was made; its level is told as it is written.
        """
        found = {}
        for key, wanted in self.places.items():
            place = value = None
            if key in described:
                place = round(self.ranges[key].find_place(described[key]), 4)
                value = round(described[key] - (20.0 * math.log10(self.gain) if key == "level" else 0.0), 4)
            found[key] = {"wanted": wanted, "place": place, "value": value, "unit": DESCRIPTORS[key].unit}
        return found


class KeptSound(NamedTuple):
    """The candidate that was kept."""

    sound: NewSound
    candidate: int
    """Which one it is, from 1."""
    moved: Mapping[str, float]
    """What it was moved by, in the descriptors' units; empty where it stayed as it was drawn."""


class _Heard(NamedTuple):
    kept: KeptSound
    described: Mapping[str, float]
    distance: tuple[int, float]


def parse_wanted(text: str) -> dict[str, float]:
    """Descriptors and places as they are written.

    >>> parse_wanted("brightness:0.9,noisiness:0.2")
    {'brightness': 0.9, 'noisiness': 0.2}

    Raises:
        ConfigError: they are not written so, there is no such descriptor, or a place lies outside 0 to 1.
    """
    found: dict[str, float] = {}
    for part in text.strip().strip("[]").split(","):
        key, separator, written = (piece.strip() for piece in part.partition(":"))
        if not separator:
            raise ConfigError(f"wanted={text} is not understood: give DESCRIPTOR:PLACE, such as brightness:0.9.")
        if key not in DESCRIPTORS:
            alike = difflib.get_close_matches(key, DESCRIPTORS, n=1, cutoff=0.3)
            hint = f" Did you mean {alike[0]}?" if alike else ""
            raise ConfigError(f"wanted={text}: there is no descriptor {key}: there are {', '.join(DESCRIPTORS)}.{hint}")
        if key in found:
            raise ConfigError(f"wanted={text}: {key} is wanted twice. Give it one place.")
        found[key] = _read_place(written, text)
    return found


def spell_wanted(places: Mapping[str, float]) -> str:
    """What `parse_wanted` reads as the same.

    >>> spell_wanted({"brightness": 0.9, "pitch": 1.0})
    'brightness:0.9,pitch:1'
    """
    return ",".join(f"{key}:{place!r}".removesuffix(".0") for key, place in places.items())


def draw_wanted(synthesizer: Synthesizer, wanted: Wanted, draw: Draw, seed: int) -> KeptSound:
    """Of `N_CANDIDATES` sounds the one that is nearest to what is wanted, moved nearer where controls can.

    A control is turned by what the sound lacks, and again by what it lacks then, as far as it reaches; what does not
    bring it nearer is not done. The same seed gives the same sound.

    Args:
        draw: gives the candidates, each for a seed of its own.
    """
    describer = Describer(synthesizer.features.sample_rate_hz)

    def hear(candidate: int, moved: Mapping[str, float]) -> _Heard:
        steered = synthesizer.adapted(steering=wanted.steer(moved)) if moved else synthesizer
        sound, beginning = _listen(draw(steered, seed + candidate * CANDIDATE_SEEDS_APART), describer.sample_rate_hz)
        described = describer(round_as_written(beginning, wanted.gain))
        return _Heard(KeptSound(sound, candidate + 1, moved), described, wanted.measure_distance(described))

    best = hear(0, {})
    for candidate in range(1, N_CANDIDATES):
        heard = hear(candidate, {})
        if heard.distance < best.distance:
            best = heard
    last = best
    for _ in range(N_CORRECTIONS):
        moves = _correct(wanted, last)
        if moves == last.kept.moved or last.distance <= (0, NEAR_ENOUGH):
            break
        last = hear(best.kept.candidate - 1, moves)
        if last.distance < best.distance:
            best = last
    return best.kept


def describe_file(path: Path, wanted: Wanted, rate_hz: int) -> dict[str, dict[str, Any]]:
    """What came out of what was wanted: the sound as it was written, see `Wanted.describe`."""
    blocks, n_left = [torch.zeros(0)], round(LISTENED_S * rate_hz)
    for block in read_mono(str(path), rate_hz):
        blocks.append(torch.from_numpy(block[:n_left].copy()))
        n_left -= len(blocks[-1])
        if n_left == 0:
            break
    return wanted.describe(Describer(rate_hz)(wanted.gain * torch.cat(blocks)))


def round_as_written(waveform: Tensor, gain: float) -> Tensor:
    """A sound as it comes back from a file of 16 bits, in which it is quieter by a factor. `[T]` → `[T]`.

    Of a quiet sound that fades, what is rounded off is bright beside what is left. Candidates are heard so in
    every format, so that the sound that is kept is the same.
    """
    return (waveform * (N_LEVELS / gain)).round() * (gain / N_LEVELS)


def _correct(wanted: Wanted, heard: _Heard) -> dict[str, float]:
    """What controls are to be turned to, once it was heard what they did."""
    moves = {}
    for key, gap in wanted.find_gaps(heard.described).items():
        if key in wanted.reaches:
            reach = wanted.reaches[key]
            moves[key] = max(-reach, min(reach, heard.kept.moved.get(key, 0.0) + gap))
    return moves


def _listen(new: NewSound, rate_hz: int) -> tuple[NewSound, Tensor]:
    """A sound, and its beginning; it is made no further than that."""
    kept, n_heard = [torch.zeros(0)], 0
    stretches = iter(new.stretches)
    for block in stretches:
        kept.append(block)
        n_heard += len(block)
        if n_heard >= LISTENED_S * rate_hz:
            break
    return new._replace(stretches=chain(kept, stretches)), torch.cat(kept)[: round(LISTENED_S * rate_hz)]


def _read_place(written: str, text: str) -> float:
    try:
        place = float(written)
    except ValueError:
        raise ConfigError(f"wanted={text}: {written!r} is no number. Give a place, {PLACES}.") from None
    if not PLACES.allows(place):
        raise ConfigError(
            f"wanted={text}: {written} is out of range: allowed is {PLACES}, where 0 is the lower end of real sound's "
            "range and 1 the upper one."
        )
    return place
