"""Copies of a recording are found however they were made; different sounds are not taken for copies."""

import itertools
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr

from sda.data.cache import SoundCache
from sda.data.groups import group_files
from sda.data.scan import scan_folder
from sda.errors import ConfigError
from tests.conftest import tone

RATE = 44100


def _texture(seed: int, duration_s: float) -> np.ndarray:
    """Rain-like sound: filtered noise with random drops."""
    rng = np.random.default_rng(seed)
    n = round(duration_s * RATE)
    noise = np.convolve(rng.normal(0, 1, n), np.exp(-np.arange(60) / rng.uniform(2, 15)), "same")
    drops = np.zeros(n)
    drops[rng.integers(0, n, round(20 * duration_s))] = rng.uniform(2, 12, round(20 * duration_s))
    sound = noise + np.convolve(
        drops, np.exp(-np.arange(2000) / 300) * np.sin(np.arange(2000) * rng.uniform(0.05, 0.4)), "same"
    )
    return (0.2 * sound / np.abs(sound).max()).astype(np.float32)


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


def _write(path: Path, samples: np.ndarray, rate: int = RATE, **kwargs) -> None:
    soundfile.write(path, samples, rate, **kwargs)


COPIES = {
    "mp3": lambda path, x: _write(path.with_suffix(".mp3"), x),
    "vorbis": lambda path, x: _write(path.with_suffix(".ogg"), x),
    "resampled": lambda path, x: _write(path.with_suffix(".wav"), soxr.resample(x, RATE, 32000), 32000),
    "6 dB quieter": lambda path, x: _write(path.with_suffix(".wav"), 0.5 * x),
    "trimmed": lambda path, x: _write(path.with_suffix(".wav"), x[round(0.2 * RATE) :]),
    "looped": lambda path, x: _write(path.with_suffix(".wav"), np.tile(x[: len(x) // 2], 3)),
    "cut out": lambda path, x: _write(path.with_suffix(".wav"), x[len(x) // 3 : 2 * len(x) // 3]),
    "inverted stereo at 24 bit": lambda path, x: _write(
        path.with_suffix(".flac"), np.stack([-x, -0.8 * x], axis=1), subtype="PCM_24"
    ),
    "trimmed, resampled, quieter, re-encoded": lambda path, x: _write(
        path.with_suffix(".ogg"), 0.5 * soxr.resample(x[8821:], RATE, 48000), 48000
    ),
}


def _groups(root, group_by=""):
    cache = SoundCache()
    scan = scan_folder(root, cache=cache)
    return scan, group_files(scan, cache, group_by)


@pytest.mark.parametrize("make", [_texture, _strike])
@pytest.mark.parametrize("how", COPIES)
def test_a_copy_is_found_among_other_sounds(tmp_path, make, how):
    for seed in range(6):
        _write(tmp_path / f"{seed}.wav", make(seed, 4.0))
    COPIES[how](tmp_path / "copy", make(2, 4.0))
    _, groups = _groups(tmp_path)
    together = [sorted(Path(path).stem for path in paths) for paths in groups.members.values() if len(paths) > 1]
    assert together == [["2", "copy"]]


@pytest.mark.parametrize("duration_s", [0.4, 1.0, 2.0])
def test_short_sounds_are_told_apart_too(tmp_path, duration_s):
    for seed in range(8):
        _write(tmp_path / f"{seed}.wav", _strike(seed, duration_s))
    COPIES["6 dB quieter"](tmp_path / "copy", _strike(5, duration_s))
    _, groups = _groups(tmp_path)
    together = [sorted(Path(path).stem for path in paths) for paths in groups.members.values() if len(paths) > 1]
    assert together == [["5", "copy"]]


def test_tones_with_one_envelope_are_not_copies(tmp_path):
    """Their bits agree, band by band; their waveforms do not."""
    for index in range(24):
        _write(tmp_path / f"{index}.wav", tone(220 * 2 ** (index / 12), 2.0, RATE))
    _, groups = _groups(tmp_path)
    assert len(groups.members) == 24


def test_silence_in_common_is_nothing_in_common(tmp_path):
    for seed in range(4):
        sound = _texture(seed, 1.0)
        _write(
            tmp_path / f"{seed}.wav",
            np.concatenate([np.zeros(RATE, np.float32), sound, np.zeros(2 * RATE, np.float32)]),
        )
    _, groups = _groups(tmp_path)
    assert len(groups.members) == 4


def test_the_shift_says_where_the_copy_lies(tmp_path):
    _write(tmp_path / "a.wav", _texture(0, 4.0))
    _write(tmp_path / "b.wav", _texture(0, 4.0)[round(0.8 * RATE) :])
    _, groups = _groups(tmp_path)
    (pair,) = groups.near_duplicates
    assert pair.shift_s == pytest.approx(-0.8, abs=0.016)
    assert pair.correlation > 0.99


def test_copies_of_copies_are_one_group(tmp_path):
    sound = _texture(0, 6.0)
    for index, (start, end) in enumerate([(0, 3), (2, 5), (4, 6)]):  # the first and the last share nothing
        _write(tmp_path / f"{index}.wav", sound[start * RATE : end * RATE])
    _write(tmp_path / "other.wav", _texture(1, 4.0))
    _, groups = _groups(tmp_path)
    assert sorted(len(paths) for paths in groups.members.values()) == [1, 3]


def test_a_group_is_named_by_its_sounds_and_not_by_its_files(tmp_path):
    for folder, names in (("one", "abcd"), ("two", "dcba")):
        (tmp_path / folder).mkdir()
        for seed, name in enumerate(names):
            _write(tmp_path / folder / f"{name}.wav", _texture(seed // 2, 3.0)[: (2 + seed) * RATE // 2])
    keys = [sorted(set(_groups(tmp_path / folder)[1].key_of.values())) for folder in ("one", "two")]
    assert keys[0] == keys[1]
    assert len(keys[0]) == 2


@pytest.fixture
def takes(tmp_path):
    for number, take in itertools.product((1, 2, 3), "AB"):
        _write(tmp_path / f"1-{number}-{take}.wav", _texture(10 * number + ord(take), 1.0))
    _write(tmp_path / "rain.wav", _texture(0, 1.0))
    return tmp_path


def test_a_pattern_groups_by_name(takes):
    _, groups = _groups(takes, r"1-(\d)-")
    names = sorted(sorted(Path(path).stem for path in paths) for paths in groups.members.values())
    assert names == [["1-1-A", "1-1-B"], ["1-2-A", "1-2-B"], ["1-3-A", "1-3-B"], ["rain"]]
    assert _groups(takes, "takes")[1].key_of == groups.key_of


def test_names_that_look_like_takes_count_unless_nothing_would_be_left_to_split(takes):
    assert len(_groups(takes)[1].members) == 7
    groups = _groups(takes, "auto")[1]
    assert (len(groups.members), groups.n_joined_by_name) == (4, 3)
    for path in [*takes.glob("1-2-*"), *takes.glob("1-3-*")]:  # the rest: one recording in two takes, and another
        path.unlink()
    groups = _groups(takes, "auto")[1]
    assert (len(groups.members), groups.n_joined_by_name) == (3, 0)


@pytest.mark.parametrize(("pattern", "message"), [("(", "is no regular expression"), ("thunder", "finds nothing")])
def test_a_pattern_that_cannot_be_meant_is_refused(takes, pattern, message):
    with pytest.raises(ConfigError, match=message):
        _groups(takes, pattern)
