"""Copies of a recording are found however they were made; different sounds are not taken for copies."""

from pathlib import Path

import numpy as np
import pytest
import soxr

from sda.data.duplicates import FEWEST_FRAMES, NEARBY_FRAMES, find_near_duplicates
from sda.data.fingerprint import HOP_SAMPLES, RATE_HZ, is_audible
from tests.conftest import tone
from tests.data.textures import RATE, group, make_texture, write


def _strike(seed: int, duration_s: float) -> np.ndarray:
    """A struck bar: decaying partials that are not harmonic."""
    rng = np.random.default_rng(seed)
    time_s = np.arange(round(duration_s * RATE)) / RATE
    partials = rng.uniform(150, 400) * np.array([1.0, 2.76, 5.4, 8.9])
    sound = sum(
        np.sin(2 * np.pi * hz * time_s + rng.uniform(0, 6)) * np.exp(-time_s * rng.uniform(2, 8)) / (1 + k)
        for k, hz in enumerate(partials)
    )
    return (0.3 * sound / np.abs(sound).max()).astype(np.float32)


COPIES = {
    "mp3": lambda path, x: write(path.with_suffix(".mp3"), x),
    "vorbis": lambda path, x: write(path.with_suffix(".ogg"), x),
    "resampled": lambda path, x: write(path.with_suffix(".wav"), soxr.resample(x, RATE, 32000), 32000),
    "6 dB quieter": lambda path, x: write(path.with_suffix(".wav"), 0.5 * x),
    "trimmed": lambda path, x: write(path.with_suffix(".wav"), x[round(0.2 * RATE) :]),
    "looped": lambda path, x: write(path.with_suffix(".wav"), np.tile(x[: len(x) // 2], 3)),
    "cut out": lambda path, x: write(path.with_suffix(".wav"), x[len(x) // 3 : 2 * len(x) // 3]),
    "inverted stereo at 24 bit": lambda path, x: write(
        path.with_suffix(".flac"), np.stack([-x, -0.8 * x], axis=1), subtype="PCM_24"
    ),
    "trimmed, resampled, quieter, re-encoded": lambda path, x: write(
        path.with_suffix(".ogg"), 0.5 * soxr.resample(x[8821:], RATE, 48000), 48000
    ),
}


@pytest.mark.parametrize("make", [make_texture, _strike])
@pytest.mark.parametrize("how", COPIES)
def test_a_copy_is_found_among_other_sounds(tmp_path, make, how):
    for seed in range(6):
        write(tmp_path / f"{seed}.wav", make(seed, 4.0))
    COPIES[how](tmp_path / "copy", make(2, 4.0))
    _, groups = group(tmp_path)
    together = [sorted(Path(path).stem for path in paths) for paths in groups.members.values() if len(paths) > 1]
    assert together == [["2", "copy"]]


@pytest.mark.parametrize("duration_s", [0.4, 1.0, 2.0])
def test_short_sounds_are_told_apart_too(tmp_path, duration_s):
    for seed in range(8):
        write(tmp_path / f"{seed}.wav", _strike(seed, duration_s))
    COPIES["6 dB quieter"](tmp_path / "copy", _strike(5, duration_s))
    _, groups = group(tmp_path)
    together = [sorted(Path(path).stem for path in paths) for paths in groups.members.values() if len(paths) > 1]
    assert together == [["5", "copy"]]


def test_tones_with_one_envelope_are_not_copies(tmp_path):
    """Their bits agree, band by band; their waveforms do not."""
    for index in range(24):
        write(tmp_path / f"{index}.wav", tone(220 * 2 ** (index / 12), 2.0, RATE))
    _, groups = group(tmp_path)
    assert len(groups.members) == 24


def test_silence_in_common_is_nothing_in_common(tmp_path):
    for seed in range(4):
        sound = make_texture(seed, 1.0)
        write(
            tmp_path / f"{seed}.wav",
            np.concatenate([np.zeros(RATE, np.float32), sound, np.zeros(2 * RATE, np.float32)]),
        )
    _, groups = group(tmp_path)
    assert len(groups.members) == 4


def test_the_shift_says_where_the_copy_lies(tmp_path):
    write(tmp_path / "a.wav", make_texture(0, 4.0))
    write(tmp_path / "b.wav", make_texture(0, 4.0)[round(0.8 * RATE) :])
    _, groups = group(tmp_path)
    (pair,) = groups.near_duplicates
    assert pair.shift_s == pytest.approx(-0.8, abs=0.016)
    assert pair.correlation > 0.99


N_FRAMES = 4 * NEARBY_FRAMES
SHARED_FRAMES = 80


@pytest.fixture
def long_files():
    """Two long files that share little more than a second, a fifth of its bits wrong in the second: their fingerprints,
    waveforms, and where the shared second lies in each, in frames."""
    rng = np.random.default_rng(0)
    fingerprints = {name: rng.integers(2**32, size=N_FRAMES, dtype=np.uint64) + np.uint64(2**32) for name in "ab"}
    waveforms = {name: rng.standard_normal(N_FRAMES * HOP_SAMPLES).astype(np.float32) for name in "ab"}
    ours, theirs = 700, 1500
    wrong = np.bitwise_or.reduce(
        [(rng.random(SHARED_FRAMES) < 0.2).astype(np.uint64) << np.uint64(bit) for bit in range(32)]
    )
    fingerprints["b"][theirs : theirs + SHARED_FRAMES] = fingerprints["a"][ours : ours + SHARED_FRAMES] ^ wrong
    shared = waveforms["a"][(ours - 8) * HOP_SAMPLES : (ours + SHARED_FRAMES + 8) * HOP_SAMPLES]
    waveforms["b"][(theirs - 8) * HOP_SAMPLES : (theirs + SHARED_FRAMES + 8) * HOP_SAMPLES] = shared
    return fingerprints, waveforms, ours, theirs


def _find_pairs(fingerprints, waveforms):
    def read(path, start_s, end_s):
        return waveforms[path][round(start_s * RATE_HZ) : round(end_s * RATE_HZ)], RATE_HZ

    assert all(is_audible(fingerprint).all() for fingerprint in fingerprints.values())
    return find_near_duplicates(fingerprints, read)


def _find_shifts(fingerprints, waveforms):
    return [round(pair.shift_s * RATE_HZ / HOP_SAMPLES) for pair in _find_pairs(fingerprints, waveforms)]


def test_a_second_in_common_is_found_however_many_frames_are_alike_by_chance(long_files):
    fingerprints, waveforms, ours, theirs = long_files
    fingerprints["b"][theirs + 30] = fingerprints["a"][ours + 30]
    for number in range(20):  # each shift twice, the true one once
        place, other = 10 + 7 * number, 1700 + 2 * number
        fingerprints["b"][[other, other + 60]] = fingerprints["a"][[place, place + 60]]
    assert _find_shifts(fingerprints, waveforms) == [theirs - ours]


@pytest.mark.parametrize(("away", "is_found"), [(NEARBY_FRAMES - 100, True), (NEARBY_FRAMES + 100, False)])
def test_a_frame_that_is_alike_speaks_for_what_lies_near_it(long_files, away, is_found):
    """Noise may leave no frame of the stretch itself exactly alike; of what lies far away, a frame says nothing."""
    fingerprints, waveforms, ours, theirs = long_files
    fingerprints["b"][theirs - away] = fingerprints["a"][ours - away]
    assert _find_shifts(fingerprints, waveforms) == ([theirs - ours] if is_found else [])


def test_what_a_file_ends_with_does_not_go_on_in_the_next():
    """Two files end alike in too little to tell, and those that come next in the folder begin alike."""
    rng = np.random.default_rng(0)
    a, b, c, d = (rng.integers(2**32, size=40, dtype=np.uint64) + np.uint64(2**32) for _ in range(4))
    c[-6:], d[:24] = a[-6:], b[:24]
    sound = rng.standard_normal(40 * HOP_SAMPLES).astype(np.float32)
    found = _find_pairs({"a": a, "b": b, "c": c, "d": d}, dict.fromkeys("abcd", sound))
    assert [(pair.path, pair.other) for pair in found] == [("b", "d")]


@pytest.mark.parametrize("n_frames", [0, 1, 9, 20])
def test_sounds_of_a_few_frames_are_compared_too(n_frames):
    rng = np.random.default_rng(0)
    frames = rng.integers(2**32, size=n_frames, dtype=np.uint64) + np.uint64(2**32)
    sound = rng.standard_normal(40 * HOP_SAMPLES).astype(np.float32)
    found = _find_pairs({"a": frames, "b": frames.copy()}, dict.fromkeys("ab", sound))
    assert len(found) == (n_frames >= FEWEST_FRAMES)
    assert _find_pairs({}, {}) == []
