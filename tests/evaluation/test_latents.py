import math

import pytest
import torch

from sda.evaluation.latents import describe_latents
from sda.models.mel_vae import Posterior


def test_a_posterior_that_is_the_prior_holds_nothing():
    space = describe_latents(Posterior(torch.zeros(50, 3), torch.zeros(50, 3)))
    assert space.kl_by_dimension == pytest.approx([0.0] * 3)
    assert space.active_units == 0
    assert (space.aggregate_kl, space.information) == pytest.approx((0.0, 0.0))


def test_free_bits_cannot_fake_an_active_unit():
    """A dimension that pays its free bits with a shift, or a narrow posterior, without following the sound."""
    mean = torch.zeros(200, 3)
    mean[:, 0] = torch.randn(200, generator=torch.Generator().manual_seed(0))
    mean[:, 1] = 1.5
    log_variance = torch.zeros(200, 3)
    log_variance[:, 0] = -3.0
    log_variance[:, 2] = -3.0
    space = describe_latents(Posterior(mean, log_variance))
    assert min(space.kl_by_dimension) > 0.5
    assert space.active_units == 1


def test_the_aggregate_is_told_from_what_is_in_single_chunks():
    generator = torch.Generator().manual_seed(1)
    mean = 3.0 * torch.randn(5000, 1, generator=generator)
    space = describe_latents(Posterior(mean, torch.full((5000, 1), math.log(0.01))))
    variance = 9.0 + 0.01
    assert space.aggregate_deviation == pytest.approx([variance**0.5], rel=0.05)
    assert space.aggregate_kl == pytest.approx(0.5 * (variance - 1 - math.log(variance)), rel=0.05)
    assert space.information == pytest.approx(0.5 * math.log(variance / 0.01), rel=0.05)  # the channel's capacity
    with pytest.raises(ValueError, match="two chunks"):
        describe_latents(Posterior(mean[:1], mean[:1]))
