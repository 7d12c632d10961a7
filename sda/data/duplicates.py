"""Near-duplicates: one recording in two files, cut, re-encoded, resampled, louder, trimmed or looped.

Two steps. Frames whose 32 bits are exactly alike propose a pair of files and the shift between them; all frames are
sorted at once, so that the work grows as `N log N` with the frames of the corpus and not with its pairs of files.
A proposal is believed where the bits agree over about a second and the waveforms themselves correlate there: bits
alone would take two tones with the same envelope for one.

Letters in the shapes: `N` frames of one file, `M` audible frames of all files.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import soxr
from numpy.typing import NDArray

from sda.audio.io import FloatArray
from sda.data.fingerprint import HOP_SAMPLES, RATE_HZ, WINDOW_SAMPLES, Fingerprint, bits_of, is_audible

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
"""Shifts tried for a pair of files, those that most frames propose first."""
ALIGNMENT_SAMPLES = 2 * HOP_SAMPLES
"""How far from the proposed shift the waveforms are tried."""

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
    found = []
    for (first, second), shifts in _propose(list(fingerprints.values())).items():
        path, other = paths[first], paths[second]
        for shift in shifts:
            place = _find_agreement(fingerprints[path], fingerprints[other], shift)
            if place is None:
                continue
            correlation = _correlate(read, path, other, place, shift)
            if correlation >= LEAST_CORRELATION:
                found.append(NearDuplicate(path, other, shift * HOP_SAMPLES / RATE_HZ, correlation))
                break
    return sorted(found, key=lambda pair: (pair.path, pair.other))


@dataclass(frozen=True)
class _Agreement:
    """Where two fingerprints agree best: frames of the first file."""

    first_frame: int
    n_frames: int


def _propose(fingerprints: Sequence[Fingerprint]) -> dict[tuple[int, int], list[int]]:
    """Pairs of files and, for each, shifts in frames, most often proposed first."""
    bits, files, frames = _list_frames(fingerprints)
    proposals = []
    for distance in range(1, min(MOST_ALIKE, len(bits) - 1) + 1):
        earlier = np.flatnonzero((bits[distance:] == bits[:-distance]) & (files[distance:] != files[:-distance]))
        later = earlier + distance  # sorted by file within equal bits: the later one is of a later file
        proposals.append(np.stack([files[earlier], files[later], frames[later] - frames[earlier]], axis=1))
    if not proposals:
        return {}
    triples, counts = np.unique(np.concatenate(proposals), axis=0, return_counts=True)
    shifts: dict[tuple[int, int], list[int]] = {}
    for first, second, shift in triples[np.argsort(-counts, kind="stable")].tolist():
        tried = shifts.setdefault((first, second), [])
        if len(tried) < TRIED_SHIFTS:
            tried.append(shift)
    return shifts


def _list_frames(
    fingerprints: Sequence[Fingerprint],
) -> tuple[NDArray[np.uint32], NDArray[np.int64], NDArray[np.int64]]:
    """Bits, file and position of all audible frames that differ from the one before, sorted by bits; each `[M]`."""
    columns = []
    for file, fingerprint in enumerate(fingerprints):
        bits = bits_of(fingerprint)
        changes = np.append(True, bits[1:] != bits[:-1])[: len(bits)]
        frames = np.flatnonzero(changes & is_audible(fingerprint))
        columns.append((bits[frames], np.full(len(frames), file), frames))
    bits, files, frames = (np.concatenate(column) for column in zip(*columns, strict=True))
    order = np.argsort(bits, kind="stable")
    return bits[order], files[order], frames[order]


def _find_agreement(first: Fingerprint, second: Fingerprint, shift: int) -> _Agreement | None:
    """The stretch in which two fingerprints agree best at a shift, if they agree well enough anywhere."""
    start, end = max(0, -shift), min(len(first), len(second) - shift)
    length = min(COMPARED_FRAMES, end - start)
    if length < FEWEST_FRAMES:
        return None
    ours, theirs = first[start:end], second[start + shift : end + shift]
    audible = is_audible(ours) & is_audible(theirs)
    wrong = np.where(audible, _count_bits(bits_of(ours) ^ bits_of(theirs)), 0)
    n_audible = _slide(audible.astype(np.int64), length)
    errors = _slide(wrong, length) / np.maximum(1, 32 * n_audible)
    errors[n_audible < max(FEWEST_FRAMES, length // 2)] = 1.0
    best = int(errors.argmin())
    return _Agreement(start + best, length) if errors[best] <= MOST_BIT_ERRORS else None


def _correlate(read: ReadSound, path: str, other: str, place: _Agreement, shift: int) -> float:
    """The largest normalised correlation of the two waveforms near their alignment."""
    half_window = WINDOW_SAMPLES // 2  # a fingerprint begins half a window before its file
    start = max(0, place.first_frame * HOP_SAMPLES - half_window)
    end = place.first_frame * HOP_SAMPLES + (place.n_frames - 1) * HOP_SAMPLES + half_window
    ours = _read_at_rate(read, path, start, end)
    around = start + shift * HOP_SAMPLES - ALIGNMENT_SAMPLES
    theirs = _read_at_rate(read, other, max(0, around), end + shift * HOP_SAMPLES + ALIGNMENT_SAMPLES)
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


def _slide(values: NDArray[np.int64], length: int) -> NDArray[np.int64]:
    """Sums over every window of `length` values."""
    sums: NDArray[np.int64] = np.append(0, np.cumsum(values))
    return sums[length:] - sums[:-length]


def _count_bits(values: NDArray[np.uint32]) -> NDArray[np.int64]:
    """Bits that are set in each value."""
    counts: NDArray[np.int64] = np.unpackbits(values[:, None].view(np.uint8), axis=1).sum(axis=1, dtype=np.int64)
    return counts
