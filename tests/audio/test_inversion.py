import math

import pytest
import torch

from sda.audio.inversion import griffin_lim, invert_mel, log_mel_to_waveform
from sda.audio.mel import LogMel, log_to_db


@pytest.fixture(scope="module")
def sound() -> torch.Tensor:
    """A chord with an attack and a breath of noise, `[1, 24000]` at 48 kHz."""
    generator = torch.Generator().manual_seed(0)
    time_s = torch.arange(24000) / 48000
    chord = sum(torch.sin(2 * math.pi * hz * time_s) for hz in (220.0, 554.4, 1318.5))
    noise = 0.01 * torch.randn(24000, generator=generator)
    return ((0.2 * chord * torch.exp(-4 * time_s) + noise) * (time_s > 0.1))[None]


def test_the_inverse_is_non_negative_and_has_the_same_mel(sound):
    features = LogMel()
    mel = features(sound).exp()
    magnitude = invert_mel(mel, features.filters)
    assert (magnitude >= 0).all()
    error = (features.filters @ magnitude - mel).norm() / mel.norm()
    assert error < 0.02


def test_mel_and_back_keeps_the_sound(sound):
    features = LogMel()
    back = log_mel_to_waveform(features(sound), features, 24000)
    assert back.shape == sound.shape
    loud = features(sound) > features(sound).max() - 8  # the upper 70 dB
    difference_db = log_to_db(features(back) - features(sound))[loud].abs().mean()
    assert difference_db < 1.5
    assert 20 * math.log10(back.norm() / sound.norm()) == pytest.approx(0, abs=0.5)


def test_the_same_seed_gives_the_same_sound_and_leaves_the_global_generator_alone(sound):
    magnitude = torch.stft(sound, 2048, 512, window=torch.hann_window(2048), return_complex=True).abs()
    before = torch.get_rng_state()
    first, again, other = (
        griffin_lim(magnitude, n_fft=2048, hop_length=512, n_samples=24000, n_iterations=2, seed=seed)
        for seed in (1, 1, 2)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(before, torch.get_rng_state())
