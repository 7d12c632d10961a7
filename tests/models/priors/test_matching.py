"""The denoiser of a mosaic: which places of a bank fit a window, and what it was if it was made of them."""

import pytest
import torch

from sda.models.priors.bank import coarsen
from sda.models.priors.matching import Matcher, Noise, sum_diagonals
from sda.models.priors.movement import deal_nothing


@pytest.mark.parametrize("radius", [0, 1, 3, 9])
def test_sums_along_diagonals(radius):
    values = torch.randn(7, 11)
    expected = torch.zeros_like(values)
    for row in range(7):
        for column in range(11):
            for step in range(-radius, radius + 1):
                if 0 <= row + step < 7 and 0 <= column + step < 11:
                    expected[row, column] += values[row + step, column + step]
    torch.testing.assert_close(sum_diagonals(values, radius), expected)


@pytest.fixture(scope="module")
def level(stream):
    return coarsen(stream.rows, 1, stream.edges)


def _take_passage(level, owner):
    """Twenty latents from the middle of a recording, and where they are in it."""
    own = level.owner == owner
    return level.bank[own][30:50], level.place[own][30:50]


def _know_nothing(sigma):
    return Noise(sigma, torch.zeros(20, dtype=torch.bool), radius=3)


def test_a_noisy_passage_of_the_bank_is_found_again(level):
    passage, places = _take_passage(level, 3)
    noisy = passage + 0.1 * torch.randn(passage.shape, generator=torch.Generator().manual_seed(0))
    matcher, slots = Matcher(level), deal_nothing(level.bank.shape[1])
    clean = matcher.denoise(noisy, _know_nothing(0.1), slots)
    assert (clean - passage).square().mean() < 0.1 * (noisy - passage).square().mean()
    values, shares, found = matcher.finish(noisy, _know_nothing(0.1), slots, 8)
    torch.testing.assert_close(values, clean)
    assert shares[:, 3].min() > 0.9
    torch.testing.assert_close(shares.sum(dim=1), torch.ones(20))
    assert torch.equal(found, places)


def test_the_recordings_that_fit_best_are_chosen(level):
    sizes = torch.bincount(level.owner[level.owner >= 0].long(), minlength=8)
    passage, _ = _take_passage(level, 5)
    matcher = Matcher(level)
    assert matcher.choose(passage, _know_nothing(0.1), sizes, most=0, fewest=1).tolist() == [5]
    several = matcher.choose(passage, _know_nothing(0.1), sizes, most=3 * 90, fewest=1).tolist()
    assert several[0] == 5
    assert len(set(several)) == 3
    assert set(matcher.take(torch.tensor(several)).level.owner.tolist()) == {-1, *several}
