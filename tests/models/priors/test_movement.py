"""Movement: how it is calmed, and dealt out to recordings."""

import pytest
import torch

from sda.models.priors.movement import calm, deal
from tests.models.priors.recordings import walk


def test_what_another_moves_is_no_more_than_moved_before():
    loud, quiet = (scale * walk(60, seed).T for scale, seed in ((1.0, 0), (0.1, 1)))
    assert calm(loud, quiet).square().mean() < quiet.square().mean()
    assert torch.equal(calm(quiet, loud), quiet)


def test_what_moves_little_is_dealt_out_first_and_counts_by_how_it_moves():
    loudness = torch.tensor([5.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.0, 1.0])
    for seed in range(5):
        slots = deal(loudness, 0.5 * loudness, 0.85, 10, torch.Generator().manual_seed(seed))
        assert len(slots.part) == 2
        torch.testing.assert_close(slots.part.sum(), torch.tensor(1.0))
        assert slots.slot[0] == 0, "the level"
        assert slots.slot[6] == 1, "what does not move"
        dealt = float(loudness[slots.slot == 1].square().sum() / loudness.square().sum())
        assert 0.05 < dealt < 0.2
        assert float(slots.part[1]) == pytest.approx(0.25 * dealt)
    assert len(deal(loudness, loudness, 0.2, 3, torch.Generator().manual_seed(0)).part) == 3, "no more than recordings"
