"""Resampling keeps pitch, level and length, however the sound comes in blocks."""

import math

import numpy as np
import pytest
import soundfile

from sda.audio.io import load_audio
from sda.audio.resampling import Resampler, expected_samples


@pytest.mark.parametrize("rate_hz", [8000, 22050, 44100, 96000])
def test_a_tone_keeps_its_pitch_and_level_at_any_rate(tmp_path, rate_hz):
    soundfile.write(tmp_path / "a.wav", 0.5 * np.sin(2 * np.pi * 1000 * np.arange(rate_hz) / rate_hz), rate_hz)
    loaded = load_audio(tmp_path / "a.wav", 48000)
    assert loaded.shape == (48000,)
    spectrum = np.abs(np.fft.rfft(loaded)) / 24000
    assert np.argmax(spectrum) == 1000
    assert spectrum[1000] == pytest.approx(0.5, rel=0.01)  # 0.09 dB: the resampler rings at both ends
    others = np.delete(spectrum, range(950, 1051))
    assert others.max() < 0.5 * 10 ** (-60 / 20)


def _resample(sound, file_rate_hz, rate_hz, n_block):
    resampler = Resampler(file_rate_hz, rate_hz)
    fed = [resampler.feed(sound[first : first + n_block]) for first in range(0, len(sound), n_block)]
    return np.concatenate([*fed, resampler.finish()])


@pytest.mark.parametrize("n_samples", [0, 1, 7, 1000, 10_007])
@pytest.mark.parametrize(("file_rate_hz", "rate_hz"), [(44100, 48000), (48000, 16000), (8000, 44100)])
def test_as_many_samples_come_out_as_are_expected_however_the_sound_comes(n_samples, file_rate_hz, rate_hz):
    sound = np.random.default_rng(0).normal(0, 0.1, n_samples).astype(np.float32)
    whole = _resample(sound, file_rate_hz, rate_hz, max(1, n_samples))
    assert (
        len(whole)
        == expected_samples(n_samples, file_rate_hz, rate_hz)
        == math.ceil(n_samples * rate_hz / file_rate_hz)
    )
    for n_block in (64, 999):
        np.testing.assert_allclose(_resample(sound, file_rate_hz, rate_hz, n_block), whole, atol=1e-6)


def test_at_its_own_rate_a_sound_stays_as_it_is():
    sound = np.random.default_rng(0).normal(0, 0.1, 1000).astype(np.float32)
    assert np.array_equal(_resample(sound, 16000, 16000, 77), sound)
