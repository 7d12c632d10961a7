"""The network that was trained on sound effects: it is the one it is called, and says so where it is not installed."""

import pytest
import torch

from sda.evaluation.aisfx import RATE_HZ, SoundEffectEmbedding
from tests.evaluation.clips import make_clip


def test_the_sound_effect_network_is_the_one_that_was_trained():
    """Its weights load without running any code, and tell classes of sound apart as random weights would not."""
    embedding = SoundEffectEmbedding(RATE_HZ)
    generator = torch.Generator().manual_seed(0)
    noises = 0.1 * torch.randn(3, RATE_HZ, generator=generator)
    tones = torch.stack([make_clip(hz, rate_hz=RATE_HZ) for hz in (440, 480, 520)])
    vectors = torch.nn.functional.normalize(
        embedding(torch.cat([noises, tones])) - embedding(torch.cat([noises, tones])).mean(0)
    )
    alike = vectors @ vectors.T
    assert vectors.shape == (6, 512)
    assert alike[:3, :3].min() > 0.5
    assert alike[:3, 3:].max() < 0.0


def test_where_the_network_is_not_installed_it_says_how_to_install_it(monkeypatch):
    monkeypatch.setattr("sda.evaluation.aisfx.find_weights", lambda: None)
    with pytest.raises(FileNotFoundError, match=r"aisfx is not installed: make setup"):
        SoundEffectEmbedding(RATE_HZ)
