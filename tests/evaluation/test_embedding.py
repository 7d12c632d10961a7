import pytest
import torch

from sda.evaluation.aisfx import RATE_HZ, SoundEffectEmbedding
from sda.evaluation.embedding import HandMadeEmbedding, standardise


def _clip(hz, speed_hz=0.0, rate_hz=16000, level=0.1):
    time_s = torch.arange(rate_hz) / rate_hz
    noise = 0.1 * torch.randn(rate_hz, generator=torch.Generator().manual_seed(int(hz)))
    tone = torch.sin(2 * torch.pi * hz * time_s) * (1 + 0.9 * torch.sin(2 * torch.pi * speed_hz * time_s))
    return level * (tone + noise)


@pytest.mark.parametrize("make", [HandMadeEmbedding, SoundEffectEmbedding])
def test_level_does_not_matter_and_sound_does(make):
    embedding = make(16000)
    quiet, loud, other = embedding(torch.stack([_clip(440, level=0.01), _clip(440, level=0.5), _clip(3000)]))
    assert (quiet - loud).norm() < 0.05 * (quiet - other).norm()


def test_hand_made_hears_how_fast_loudness_moves():
    embedding = HandMadeEmbedding(16000)
    slow, fast = embedding(torch.stack([_clip(440, 3.0), _clip(440, 20.0)]))[:, 128:].unflatten(1, (8, 5))
    band = (slow - fast).abs().sum(dim=1).argmax()
    assert slow[band].argmax().item() == 1  # 2–4 Hz
    assert fast[band].argmax().item() == 4  # 16–32 Hz


def test_the_sound_effect_network_is_the_one_that_was_trained():
    """Its weights load without running any code, and tell classes of sound apart as random weights would not."""
    embedding = SoundEffectEmbedding(RATE_HZ)
    generator = torch.Generator().manual_seed(0)
    noises = 0.1 * torch.randn(3, RATE_HZ, generator=generator)
    tones = torch.stack([_clip(hz, rate_hz=RATE_HZ) for hz in (440, 480, 520)])
    vectors = torch.nn.functional.normalize(
        embedding(torch.cat([noises, tones])) - embedding(torch.cat([noises, tones])).mean(0)
    )
    alike = vectors @ vectors.T
    assert vectors.shape == (6, 512)
    assert alike[:3, :3].min() > 0.5
    assert alike[:3, 3:].max() < 0.0


def test_nothing_gives_no_vectors():
    assert HandMadeEmbedding(16000)(torch.zeros(0, 16000)).shape == (0, 168)
    assert SoundEffectEmbedding(16000)(torch.zeros(0, 16000)).shape == (0, 512)


def test_parts_weigh_alike_once_standardised():
    reference = torch.randn(400, 12, generator=torch.Generator().manual_seed(0)) * torch.tensor([9.0] * 10 + [0.2] * 2)
    (scaled,) = standardise(reference, reference, n_parts=(10, 2))
    assert scaled[:, :10].square().sum(dim=1).mean().item() == pytest.approx(1.0, abs=0.05)
    assert scaled[:, 10:].square().sum(dim=1).mean().item() == pytest.approx(1.0, abs=0.05)
