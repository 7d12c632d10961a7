"""Copies of a recording are found however they were made; different sounds are not taken for copies."""

from pathlib import Path

import numpy as np
import pytest
import soxr

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
