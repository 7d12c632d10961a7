import pytest
import torch

from sda.evaluation.aisfx import SoundEffectEmbedding
from sda.evaluation.embedding import HandMadeEmbedding, standardise
from tests.evaluation.clips import make_clip


@pytest.mark.parametrize("make", [HandMadeEmbedding, SoundEffectEmbedding])
def test_level_does_not_matter_and_sound_does(make):
    embedding = make(16000)
    quiet, loud, other = embedding(
        torch.stack([make_clip(440, level=0.01), make_clip(440, level=0.5), make_clip(3000)])
    )
    assert (quiet - loud).norm() < 0.05 * (quiet - other).norm()


def test_hand_made_hears_how_fast_loudness_moves():
    embedding = HandMadeEmbedding(16000)
    slow, fast = embedding(torch.stack([make_clip(440, 3.0), make_clip(440, 20.0)]))[:, 128:].unflatten(1, (8, 5))
    band = (slow - fast).abs().sum(dim=1).argmax()
    assert slow[band].argmax().item() == 1  # 2–4 Hz
    assert fast[band].argmax().item() == 4  # 16–32 Hz


def test_nothing_gives_no_vectors():
    assert HandMadeEmbedding(16000)(torch.zeros(0, 16000)).shape == (0, 168)
    assert SoundEffectEmbedding(16000)(torch.zeros(0, 16000)).shape == (0, 512)


def test_parts_weigh_alike_once_standardised():
    reference = torch.randn(400, 12, generator=torch.Generator().manual_seed(0)) * torch.tensor([9.0] * 10 + [0.2] * 2)
    (scaled,) = standardise(reference, reference, n_parts=(10, 2))
    assert scaled[:, :10].square().sum(dim=1).mean().item() == pytest.approx(1.0, abs=0.05)
    assert scaled[:, 10:].square().sum(dim=1).mean().item() == pytest.approx(1.0, abs=0.05)
