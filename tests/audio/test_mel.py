import math

import pytest
import torch

from sda.audio.mel import MIN_MAGNITUDE, LogMel, log_to_db
from sda.errors import ConfigError


def _sine(frequency_hz: float, level: float = 0.5) -> torch.Tensor:
    return level * torch.sin(2 * math.pi * frequency_hz * torch.arange(48000) / 48000)[None]


def test_shape_is_that_of_the_plan():
    assert LogMel()(torch.zeros(2, 1, 48000)).shape == (2, 128, 94)


@pytest.mark.parametrize("frequency_hz", [220.0, 1000.0, 5000.0, 15000.0])
def test_a_tone_lands_in_the_band_that_holds_its_frequency(frequency_hz):
    features = LogMel()
    band = features(_sine(frequency_hz))[0].mean(dim=1).argmax().item()
    centre_hz = features.filters[band].argmax().item() * 48000 / 2048
    assert centre_hz == pytest.approx(frequency_hz, rel=0.06)


def test_six_decibel_more_is_six_decibel_more():
    features = LogMel()
    louder, softer = features(_sine(1000, 0.8)), features(_sine(1000, 0.4))
    band = louder[0].mean(dim=1).argmax()
    rise_db = log_to_db(louder[0, band] - softer[0, band])[10:-10]
    torch.testing.assert_close(rise_db, torch.full_like(rise_db, 6.0206), atol=1e-3, rtol=0)


def test_silence_is_finite_with_a_finite_gradient():
    silence = torch.zeros(1, 48000, requires_grad=True)
    log_mel = LogMel()(silence)
    torch.testing.assert_close(log_mel, torch.full_like(log_mel, math.log(MIN_MAGNITUDE)))
    log_mel.sum().backward()
    assert torch.isfinite(silence.grad).all()


def test_the_filter_bank_is_well_conditioned():
    singular = torch.linalg.svdvals(LogMel().filters.double())
    assert (singular[0] / singular[-1]).item() < 10  # 251 on the HTK scale


def test_too_many_bands_are_refused_by_name():
    with pytest.raises(ConfigError, match=r"audio\.n_mels=512 with audio\.n_fft=512.*bands \[.*empty"):
        LogMel(n_fft=512, n_mels=512)


def test_a_forgotten_waveform_takes_no_memory():
    heard = LogMel(16000, n_fft=512, hop_length=128, n_mels=32).extract(torch.randn(3, 4000))
    forgotten = heard.forget_waveform()
    assert forgotten.waveform.shape == (3, 0)
    assert forgotten.waveform.untyped_storage().nbytes() == 0
    assert forgotten.log_mel is heard.log_mel
