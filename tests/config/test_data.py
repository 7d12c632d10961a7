"""What is allowed of the sounds, of their spectrogram, and of how they are varied."""

import pytest

from sda.config.data import AudioConfig, AugmentationConfig, DataConfig
from sda.errors import ConfigError


@pytest.mark.parametrize("n_mels", [32, 96, 1024])
def test_bands_are_a_multiple_of_32(n_mels):
    assert AudioConfig(n_mels=n_mels).n_mels == n_mels
    with pytest.raises(ConfigError, match=rf"audio\.n_mels={n_mels - 1} "):
        AudioConfig(n_mels=n_mels - 1)


@pytest.mark.parametrize(
    ("section", "wrong", "key"),
    [
        (AudioConfig, {"sample_rate_hz": 7999}, "audio.sample_rate_hz=7999"),
        (DataConfig, {"root": "/sounds", "silence_dbfs": 1.0}, "data.silence_dbfs=1.0"),
        (DataConfig, {"root": "/sounds", "cache_max_gb": 0.0}, "data.cache_max_gb=0.0"),
        (AugmentationConfig, {"speed_ratio": 1.34}, "augmentation.speed_ratio=1.34"),
        (AugmentationConfig, {"probability": 1.1}, "augmentation.probability=1.1"),
    ],
)
def test_what_is_out_of_range_is_named_by_its_key(section, wrong, key):
    with pytest.raises(ConfigError) as refused:
        section(**wrong)
    assert f"{key} is out of range" in str(refused.value)
