"""Windows of a mosaic on their way from noise to latents: the levels, what is known beforehand, what is searched."""

import pytest
import torch

from sda.models.priors.filling import FIRST_SIGMA, LAST_RADIUS, LAST_SIGMA, plan
from sda.models.priors.prior import Manner, join
from tests.models.priors.recordings import walk


def test_a_gap_is_filled_from_both_sides(stream):
    path = walk(90, 3)
    for seed in range(4):
        filled = join(stream.continue_(path[:, :40], 12, seed, Manner(novelty=0.0), future=path[:, 52:])).path
        whole = torch.cat([path[:, :40], filled, path[:, 52:]], dim=1)
        steps = whole.diff(dim=1).square().sum(dim=0).sqrt()
        assert steps[39:52].max() < 2.0 * path.diff(dim=1).square().sum(dim=0).sqrt().max()


def test_of_a_large_bank_what_fits_best_is_searched_and_nothing_else_changes(stream, monkeypatch):
    manner = Manner(novelty=0.3, memory=32)
    whole = join(stream.sample(200, 3, manner))
    monkeypatch.setattr("sda.models.priors.filling.MOST_SEARCHED", 8 * 90)
    assert torch.equal(join(stream.sample(200, 3, manner)).path, whole.path), "all of it fits in"
    monkeypatch.setattr("sda.models.priors.filling.MOST_SEARCHED", 3 * 90)
    first, again = (join(stream.sample(200, 3, manner)) for _ in range(2))
    assert torch.equal(first.path, again.path)
    torch.testing.assert_close(first.shares.sum(dim=1), torch.ones(200))
    for window in first.shares.split(32):
        assert (window.sum(dim=0) > 0.01).sum() <= 6, "three recordings in a window, and others in the next"


@pytest.mark.parametrize(("memory", "factors"), [(1, [1]), (8, [1]), (9, [2, 1]), (64, [8, 4, 2, 1])])
def test_a_long_memory_is_drawn_at_a_coarse_rate_first(memory, factors):
    stages = plan(memory)
    assert [stage.factor for stage in stages] == factors
    for stage in stages:
        assert len(stage.radii) == len(stage.sigmas)
        assert stage.sigmas == sorted(stage.sigmas, reverse=True)
    assert stages[0].sigmas[0] == pytest.approx(FIRST_SIGMA)
    assert stages[-1].sigmas[-1] == pytest.approx(LAST_SIGMA)
    assert stages[-1].radii[-1] == LAST_RADIUS
    assert 2 * stages[0].factor * stages[0].radii[0] >= memory - stages[0].factor
