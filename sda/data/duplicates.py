"""Near-duplicates: one recording in two files, cut, re-encoded, resampled, louder, trimmed or looped.

Two steps. Frames whose 32 bits are exactly alike propose a pair of files and the shift between them; all frames are
sorted at once, so that the work grows as `N log N` with the frames of the corpus and not with its pairs of files.
A proposal is believed where the bits agree over a second near those frames, and the waveforms themselves correlate
there: bits alone would take two tones with the same envelope for one.

Letters in the shapes: `N` frames of one file, `M` audible frames of all files, `P` proposals.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import NamedTuple

import numpy as np
import soxr
from numpy.typing import NDArray

from sda.audio.io import FloatArray
from sda.data.fingerprint import HOP_SAMPLES, N_BITS, RATE_HZ, WINDOW_SAMPLES, Fingerprint, bits_of, is_audible

COMPARED_FRAMES = 64
"""Frames over which bits are compared, about a second; as many as two shorter sounds overlap in."""
FEWEST_FRAMES = 8
MOST_BIT_ERRORS = 0.35
"""Share of bits that a copy may get wrong (Haitsma & Kalker); unrelated sounds differ in half of them."""
LEAST_CORRELATION = 0.7
"""Correlation of the aligned waveforms that makes two files copies; unrelated noise stays below 0.2."""
MOST_ALIKE = 32
"""Neighbours in the sorted frames that are compared: what more frames share, such as hum, identifies nothing."""
TRIED_SHIFTS = 4
"""Shifts of a pair of files at which waveforms are compared, those whose bits agree best first."""
ALIGNMENT_SAMPLES = 2 * HOP_SAMPLES
"""How far from the proposed shift the waveforms are tried."""
NEARBY_FRAMES = 512
"""How far from the frames that propose a shift bits are compared, eight seconds: noise leaves few frames exactly alike,
and not always where the files agree best. All of two long files would take a time that grows with their pairs."""
COMPARED_AT_ONCE = 512
"""Proposals whose bits are compared at once, in 30 MB or so."""
SOUGHT_AT_ONCE = 1 << 20
"""Frames whose neighbours are looked at at once, for the same reason."""
_PLACE_BITS = np.uint64(32)
_PLACES = np.uint64(0xFFFFFFFF)
"""What a place among all frames may be: four thousand million, 19 000 hours."""

ReadSound = Callable[[str, float, float], tuple[FloatArray, int]]
"""`(path, start_s, end_s)` → mono samples and their rate in Hz; fewer where the file ends."""


@dataclass(frozen=True)
class NearDuplicate:
    """Two files that hold the same recording in part or whole."""

    path: str
    other: str
    shift_s: float
    """What lies at time t of `path` lies at `t + shift_s` of `other`."""
    correlation: float
    """Of the aligned waveforms over the second that agrees best, in [0, 1]; polarity does not matter."""


def find_near_duplicates(fingerprints: Mapping[str, Fingerprint], read: ReadSound) -> list[NearDuplicate]:
    """Every pair of files that share a recording, in the order of their paths.

    Args:
        fingerprints: of the files to compare, by path; files with identical samples need only one.
        read: gives the sound of a file, to compare waveforms.
    """
    paths = list(fingerprints)
    agreements = _find_agreements(list(fingerprints.values()))
    found = []
    for (first, second), places in groupby(agreements, key=lambda place: (place.first, place.second)):
        tried = set[int]()
        for place in places:
            if place.shift in tried:
                continue
            tried.add(place.shift)
            correlation = _correlate(read, paths[first], paths[second], place)
            if correlation >= LEAST_CORRELATION:
                shift_s = place.shift * HOP_SAMPLES / RATE_HZ
                found.append(NearDuplicate(paths[first], paths[second], shift_s, correlation))
                break
            if len(tried) == TRIED_SHIFTS:
                break
    return sorted(found, key=lambda pair: (pair.path, pair.other))


class _Agreement(NamedTuple):
    """A stretch in which the bits of two files agree."""

    first: int
    """The one file, by its place among all."""
    second: int
    shift: int
    """Frames by which the sound lies later in the second file."""
    frame: int
    """Where the stretch begins in the first file."""
    n_frames: int


def _find_agreements(fingerprints: Sequence[Fingerprint]) -> list[_Agreement]:
    """Where files agree, pair by pair, the best stretches of each first."""
    joined = _JoinedFiles(fingerprints)
    proposals = joined.propose()
    believed = [
        joined.compare(proposals[begin : begin + COMPARED_AT_ONCE])
        for begin in range(0, len(proposals), COMPARED_AT_ONCE)
    ]
    if not believed:
        return []
    places, errors = (np.concatenate(column) for column in zip(*believed, strict=True))
    order = np.lexsort((errors, places[:, 1], places[:, 0]))
    return [_Agreement(*row) for row in places[order].tolist()]


class _JoinedFiles:
    """All fingerprints in one piece, with silence between two files as long as what is compared.

    A frame's place is where it lies in that piece.
    """

    def __init__(self, fingerprints: Sequence[Fingerprint]):
        lengths = [len(fingerprint) for fingerprint in fingerprints]
        self._lengths = np.array(lengths)
        self._offsets = np.cumsum([0, *(length + COMPARED_FRAMES for length in lengths)])[:-1]
        self._frames = np.zeros(sum(lengths) + COMPARED_FRAMES * len(lengths), np.uint64)
        for offset, fingerprint in zip(self._offsets, fingerprints, strict=True):
            self._frames[offset : offset + len(fingerprint)] = fingerprint

    def propose(self) -> NDArray[np.int64]:
        """Frames that are alike in two files: both files, the shift, and the frame of the first, `[P, 4]`.

        Of frames near each other that propose the same shift, one is enough, as all around it is compared.
        """
        one, other = _find_alike(self._sort_frames())
        first, second = self._find_files(one), self._find_files(other)
        frame = one - self._offsets[first]
        shift = other - self._offsets[second] - frame
        proposals = np.stack([first, second, shift, frame], axis=1)[first != second]
        first, second, shift, frame = proposals.T
        order = np.lexsort((frame, shift, second, first))
        keys = np.stack([first, second, shift, frame // NEARBY_FRAMES], axis=1)[order]
        is_new = np.append(True, (keys[1:] != keys[:-1]).any(axis=1))[: len(keys)]
        thinned: NDArray[np.int64] = proposals[order[is_new]]
        return thinned

    def compare(self, proposals: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Of the proposals `[P, 4]`, those that are believed as they would make an `_Agreement`, and their bit errors.

        Of all stretches near the proposing frame, the one that agrees best counts.
        """
        first, second, shift, frame = proposals.T
        start = np.maximum(0, -shift)
        overlap = np.minimum(self._lengths[first], self._lengths[second] - shift) - start
        length = np.minimum(COMPARED_FRAMES, overlap)
        earliest = np.maximum(start, frame - NEARBY_FRAMES)
        latest = np.minimum(frame + NEARBY_FRAMES, start + overlap - length)
        columns = np.arange(2 * NEARBY_FRAMES + COMPARED_FRAMES)
        ours = (self._offsets[first] + earliest)[:, None] + columns
        theirs = ours + (self._offsets[second] - self._offsets[first] + shift)[:, None]
        ours, theirs = (self._frames[np.minimum(places, len(self._frames) - 1)] for places in (ours, theirs))
        audible = is_audible(ours) & is_audible(theirs)
        wrong = np.where(audible, np.bitwise_count(bits_of(ours) ^ bits_of(theirs)), 0)
        n_audible = _slide(audible, COMPARED_FRAMES)
        errors = _slide(wrong, COMPARED_FRAMES) / np.maximum(1, N_BITS * n_audible)
        errors[n_audible < np.maximum(FEWEST_FRAMES, length // 2)[:, None]] = 1.0
        errors[np.arange(errors.shape[1]) > (latest - earliest)[:, None]] = 1.0
        best = errors.argmin(axis=1)
        least = errors.min(axis=1)
        believed = least <= MOST_BIT_ERRORS
        places = np.stack([first, second, shift, earliest + best, length], axis=1)
        return places[believed], least[believed]

    def _sort_frames(self) -> NDArray[np.uint64]:
        """All audible frames that differ from the one before, sorted by their bits, `[M]`: bits above, place below."""
        changes = np.append(True, self._frames[1:] != self._frames[:-1])[: len(self._frames)]
        places = np.flatnonzero(changes & is_audible(self._frames)).view(np.uint64)
        ordered = self._frames[places]
        ordered <<= _PLACE_BITS
        ordered |= places
        ordered.sort()
        return ordered

    def _find_files(self, places: NDArray[np.int64]) -> NDArray[np.int64]:
        """Which file each place lies in."""
        return np.searchsorted(self._offsets, places, side="right") - 1


def _find_alike(ordered: NDArray[np.uint64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Places of frames with the same bits, of the one that lies earlier and of the other."""
    found = [np.zeros((2, 0), np.int64)]
    for distance in range(1, min(MOST_ALIKE, len(ordered) - 1) + 1):
        for begin in range(0, len(ordered) - distance, SOUGHT_AT_ONCE):
            later = ordered[begin + distance : begin + distance + SOUGHT_AT_ONCE]
            earlier = ordered[begin : begin + len(later)]
            alike = np.flatnonzero((earlier ^ later) <= _PLACES)
            found.append((np.stack([earlier[alike], later[alike]]) & _PLACES).astype(np.int64))
    one, other = np.concatenate(found, axis=1)
    return one, other


def _correlate(read: ReadSound, path: str, other: str, place: _Agreement) -> float:
    """The largest normalised correlation of the two waveforms near their alignment."""
    half_window = WINDOW_SAMPLES // 2  # a fingerprint begins half a window before its file
    start = max(0, place.frame * HOP_SAMPLES - half_window)
    end = place.frame * HOP_SAMPLES + (place.n_frames - 1) * HOP_SAMPLES + half_window
    ours = _read_at_rate(read, path, start, end)
    around = start + place.shift * HOP_SAMPLES - ALIGNMENT_SAMPLES
    theirs = _read_at_rate(read, other, max(0, around), end + place.shift * HOP_SAMPLES + ALIGNMENT_SAMPLES)
    theirs = np.pad(theirs, (max(0, -around), 0))
    theirs = np.pad(theirs, (0, max(0, len(ours) + 2 * ALIGNMENT_SAMPLES - len(theirs))))
    size = 1 << (len(ours) + len(theirs)).bit_length()
    products = np.fft.irfft(np.fft.rfft(theirs, size) * np.fft.rfft(ours, size).conj(), size)
    n_lags = len(theirs) - len(ours) + 1
    energy = np.append(0.0, np.cumsum(np.square(theirs, dtype=np.float64)))
    norms = np.sqrt((energy[len(ours) :] - energy[:n_lags]) * np.square(ours, dtype=np.float64).sum())
    return float((np.abs(products[:n_lags]) / np.maximum(norms, 1e-9)).max())


def _read_at_rate(read: ReadSound, path: str, start: int, end: int) -> FloatArray:
    """Samples `start` to `end` of a file, counted at the rate of the fingerprints."""
    samples, rate_hz = read(path, start / RATE_HZ, end / RATE_HZ)
    if rate_hz == RATE_HZ or len(samples) == 0:
        return samples
    resampled: FloatArray = soxr.resample(samples, rate_hz, RATE_HZ, quality="MQ")
    return resampled


def _slide(values: NDArray[np.bool_] | NDArray[np.integer], length: int) -> NDArray[np.int64]:
    """Sums over every window of `length` values of each row."""
    sums: NDArray[np.int64] = np.pad(np.cumsum(values, axis=1, dtype=np.int64), ((0, 0), (1, 0)))
    return sums[:, length:] - sums[:, :-length]
