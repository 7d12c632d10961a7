"""Errors averaged over sound: chunks weigh as much as they hold of it, and what lies outside does not count."""

import pytest
import torch

from sda.audio.span import Span
from sda.losses.objective import (
    ACTIVE_UNIT_VARIANCE,
    LossComponents,
    LossTerms,
    average,
    count_active_units,
    describe_posterior,
)
from sda.models.latents import Posterior, Reconstruction, kl_to_standard_normal


def _reconstruct(mean, stride=None):
    nothing = torch.zeros(len(mean), 1, 1)
    return Reconstruction(nothing, nothing, Posterior(mean, torch.zeros_like(mean)), stride)


def test_chunks_weigh_as_much_as_they_hold():
    errors = LossComponents(*(torch.tensor([[1.0, 10.0], [4.0, 40.0]]) for _ in range(4)))
    for values in average(errors, torch.tensor([3.0, 1.0])):
        torch.testing.assert_close(values, torch.tensor([1.75, 17.5]))
    for values, first in zip(average(errors, torch.tensor([5.0, 0.0])), errors, strict=True):
        torch.testing.assert_close(values, first[0])


def test_averages_of_parts_average_to_that_of_the_whole():
    torch.manual_seed(0)
    errors = LossComponents(*(torch.rand(6, 3) for _ in range(4)))
    weight = torch.rand(6)
    parts = [average(LossComponents(*(v[s] for v in errors)), weight[s]) for s in (slice(0, 2), slice(2, 6))]
    joined = LossComponents(*(torch.stack(values) for values in zip(*parts, strict=True)))
    again = average(joined, torch.stack([weight[:2].sum(), weight[2:].sum()]))
    for whole, values in zip(average(errors, weight), again, strict=True):
        torch.testing.assert_close(values, whole)


def test_a_latent_a_chunk_is_described_as_it_is():
    mean = torch.tensor([[1.0, -2.0], [0.0, 3.0]])
    parts = describe_posterior(_reconstruct(mean))
    assert torch.equal(parts["mean"], mean)
    assert torch.equal(parts["square_of_mean"], mean.square())
    assert torch.equal(parts["kl_by_dimension"], kl_to_standard_normal(Posterior(mean, torch.zeros_like(mean))))


def test_of_latents_along_time_those_with_sound_count():
    """Two chunks of three latents of two frames; the sound of the second ends in its first latent."""
    mean = torch.tensor([[[1.0, 2.0, 6.0]], [[1.0, 50.0, 50.0]]])
    frames = torch.tensor([[True] * 6, [True] + [False] * 5])
    parts = describe_posterior(_reconstruct(mean, stride=2), Span(torch.tensor([[0, 6], [0, 1]]), frames))
    torch.testing.assert_close(parts["mean"], torch.tensor([[3.0], [1.0]]))
    torch.testing.assert_close(parts["square_of_mean"], torch.tensor([[41.0 / 3], [1.0]]))
    everything = describe_posterior(_reconstruct(mean, stride=2))
    torch.testing.assert_close(everything["mean"], mean.mean(dim=2))


def test_a_dimension_is_active_whose_mean_varies():
    square = torch.tensor([0.0, 0.9 * ACTIVE_UNIT_VARIANCE, 1.1 * ACTIVE_UNIT_VARIANCE, 4.0 + 1.1, 4.0])
    errors = LossComponents(torch.zeros(1), torch.zeros(5), torch.tensor([0.0, 0.0, 0.0, 2.0, 2.0]), square)
    assert count_active_units(errors) == 2


@pytest.mark.parametrize(("kl_weight", "total"), [(0.0, 3.0), (0.5, 4.0), (1.0, 5.0)])
def test_the_kl_term_counts_as_much_as_its_weight(kl_weight, total):
    assert LossTerms(torch.tensor(3.0), torch.tensor(2.0)).total(kl_weight) == total
