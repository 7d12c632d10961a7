"""Fingerprints survive another level, rate and beginning, and say where there is nothing to hear."""

import numpy as np
import pytest
import soxr

from sda.data.fingerprint import (
    HOP_SAMPLES,
    N_BITS,
    NO_FINGERPRINT,
    RATE_HZ,
    WINDOW_SAMPLES,
    Fingerprinter,
    bits_of,
    count_frames,
    is_audible,
)
from tests.data.textures import RATE, make_texture


def _fingerprint(samples, rate_hz=RATE, n_block=10_000):
    fingerprinter = Fingerprinter(rate_hz)
    for first in range(0, len(samples), n_block):
        fingerprinter.feed(samples[first : first + n_block].astype(np.float32))
    return fingerprinter.finish()


def _agree(one, other):
    """Share of equal bits."""
    n_frames = min(len(one), len(other))
    unlike = bits_of(one[:n_frames]) ^ bits_of(other[:n_frames])
    return 1.0 - sum(int(bits).bit_count() for bits in unlike) / (N_BITS * n_frames)


SOUND = make_texture(0, 4.0)


@pytest.mark.parametrize("n_block", [1000, 44_100, 10**6])
def test_it_does_not_depend_on_how_the_sound_is_cut(n_block):
    assert np.array_equal(_fingerprint(SOUND, n_block=n_block), _fingerprint(SOUND, n_block=7777))


@pytest.mark.parametrize(
    "copy",
    [
        lambda sound: (0.1 * sound, RATE),
        lambda sound: (-sound, RATE),
        lambda sound: (soxr.resample(sound, RATE, 32000), 32000),
        lambda sound: (sound[5 * HOP_SAMPLES * RATE // RATE_HZ :], RATE),
    ],
)
def test_most_bits_of_a_copy_agree_once_it_is_aligned(copy):
    own, other = _fingerprint(SOUND), _fingerprint(*copy(SOUND))
    shift = 5 if len(own) - len(other) > 2 else 0
    assert _agree(own[shift + 16 :], other[16:]) > 0.85


def test_of_other_sounds_half_of_the_bits_agree():
    shares = [_agree(_fingerprint(SOUND), _fingerprint(make_texture(seed, 4.0))) for seed in range(1, 5)]
    assert np.mean(shares) == pytest.approx(0.5, abs=0.05)


def test_silence_is_not_audible():
    padded = np.concatenate([np.zeros(RATE, np.float32), SOUND, np.zeros(RATE, np.float32)])
    audible = is_audible(_fingerprint(padded))
    second = RATE_HZ // HOP_SAMPLES
    assert not audible[: second - WINDOW_SAMPLES // HOP_SAMPLES].any()
    assert audible[second + 1 : -second - 1].all()
    assert not audible[-second + WINDOW_SAMPLES // HOP_SAMPLES + 1 :].any()


def test_a_sound_shorter_than_a_window_has_frames_too():
    assert len(_fingerprint(SOUND[:1000])) >= 1
    assert _fingerprint(SOUND[:0]).dtype == NO_FINGERPRINT.dtype


def test_frames_are_counted_that_lie_in_a_sound_with_all_of_their_window():
    window_s, hop_s = WINDOW_SAMPLES / RATE_HZ, HOP_SAMPLES / RATE_HZ
    assert [count_frames(seconds) for seconds in (0.0, window_s, window_s + hop_s, window_s + 10 * hop_s)] == [
        0,
        0,
        1,
        10,
    ]
