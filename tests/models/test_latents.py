"""Posteriors: how far they are from the prior, what is drawn from them, and how far a log-variance may go."""

import math

import torch

from sda.models.latents import LOG_VARIANCE_BOUND, Posterior, bound_log_variance, kl_to_standard_normal


def test_kl_against_the_known_value():
    posterior = Posterior(torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, math.log(4.0)]]))
    expected = torch.tensor([[0.5, 0.5 * (4.0 - 1.0 - math.log(4.0))]])
    torch.testing.assert_close(kl_to_standard_normal(posterior), expected)


def test_what_is_drawn_has_the_posteriors_own_moments():
    mean, deviation = torch.tensor([2.0, -1.0]), torch.tensor([0.1, 3.0])
    posterior = Posterior(mean.expand(40_000, 2), 2 * deviation.log().expand(40_000, 2))
    drawn = posterior.sample()
    torch.testing.assert_close(drawn.mean(dim=0), mean, atol=0.1, rtol=0)
    torch.testing.assert_close(drawn.std(dim=0), deviation, atol=0, rtol=0.05)


def test_a_log_variance_is_squeezed_smoothly_and_keeps_its_order():
    raw = torch.tensor([-1e6, -3.0, -0.1, 0.0, 0.1, 3.0, 1e6], requires_grad=True)
    bounded = bound_log_variance(raw)
    assert bounded.abs().max() <= LOG_VARIANCE_BOUND
    assert bounded.tolist() == sorted(bounded.tolist())
    torch.testing.assert_close(bounded[2:5], raw[2:5], atol=1e-4, rtol=0)
    bounded.sum().backward()
    assert raw.grad[1:6].min() > 0.5, "it can still be learned"
