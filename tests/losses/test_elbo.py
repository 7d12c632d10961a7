import math

import pytest
import torch

from sda.losses.elbo import Elbo, gaussian_nll
from sda.losses.objective import LossComponents, count_active_units, measure_batch
from sda.models.latents import Posterior, Reconstruction, kl_to_standard_normal
from sda.models.standardise import Standardise
from tests.conftest import as_features

N_CELLS = 32 * 10
NO_WAVEFORM = torch.zeros(0)


def _result(output, target, mean=None, log_variance=None):
    mean = torch.zeros(len(target), 4) if mean is None else mean
    return Reconstruction(
        target, output, Posterior(mean, torch.zeros_like(mean) if log_variance is None else log_variance)
    )


def _elbo(free_bits=0.0, energy_weight=0.0):
    return Elbo(Standardise(32), N_CELLS, free_bits, energy_weight)


def _measure(elbo, result):
    return measure_batch(elbo, result, as_features(result.target))


def test_doubling_the_error_costs_the_logarithm_of_two():
    target = torch.zeros(3, 32, 10)
    once, twice = (_elbo().score(_measure(_elbo(), _result(target + error, target))).recon for error in (0.5, 1.0))
    assert (twice - once).item() == pytest.approx(math.log(2), abs=1e-3)


def test_the_optimal_deviation_beats_any_fixed_one():
    error = torch.tensor([0.3])
    best = gaussian_nll(error).item() + 0.5  # the constant that belongs to it
    for sigma in (0.1, 0.5, 0.6, 1.0, 3.0):
        fixed = math.log(sigma) + error.item() / (2 * sigma**2)
        assert best <= fixed + 1e-3


def test_free_bits_are_a_floor_on_the_batch_mean_with_a_gradient_above_it():
    target = torch.zeros(2, 32, 10)
    mean = torch.tensor([[3.0, 0.1, 0.0, 0.0], [0.0, 0.1, 0.0, 0.0]], requires_grad=True)
    elbo = _elbo(free_bits=0.5)
    kl = elbo.score(_measure(elbo, _result(target + 1, target, mean))).kl * N_CELLS
    assert kl.item() == pytest.approx(9 / 4 + 3 * 0.5)  # one dimension above the floor on average, three on it
    kl.backward()
    assert mean.grad[0, 0] != 0
    assert (mean.grad[:, 1] == 0).all()


def test_active_units_cannot_be_faked_by_free_bits():
    elbo = _elbo(free_bits=0.5)
    target = torch.zeros(3, 32, 10)
    constant = torch.tensor([[5.0, 1.0, 0.0, -2.0]]).expand(3, 4)  # plenty of KL, the same for every chunk
    telling = constant + torch.tensor([[0.0], [0.2], [0.4]]) * torch.tensor([1.0, 1.0, 0.1, 0.0])
    assert count_active_units(_measure(elbo, _result(target, target, constant))) == 0
    assert count_active_units(_measure(elbo, _result(target, target, telling))) == 2


def test_the_level_term_sees_a_lost_peak_that_the_cells_hardly_see():
    target = torch.full((1, 32, 10), -5.0)
    target[:, 3] = 3.0  # one loud band
    quiet = target.clone()
    quiet[:, 3] -= 1.0
    hiss = target.clone()
    hiss[:, 20] -= 1.0  # the same error where nothing sounds
    cells, level = _elbo(), _elbo(energy_weight=1.0)
    peak_lost, hiss_lost = (_result(output, target) for output in (quiet, hiss))
    assert cells.score(_measure(cells, peak_lost)).recon == cells.score(_measure(cells, hiss_lost)).recon
    assert level.score(_measure(level, peak_lost)).recon > level.score(_measure(level, hiss_lost)).recon + 1.0


def test_the_errors_of_chunks_average_to_those_of_the_batch():
    torch.manual_seed(0)
    result = _result(torch.randn(5, 32, 10), torch.randn(5, 32, 10), torch.randn(5, 4), torch.randn(5, 4))
    elbo = _elbo(free_bits=0.1, energy_weight=0.3)
    errors, each = _measure(elbo, result), elbo.measure_each(result, NO_WAVEFORM)
    torch.testing.assert_close(errors.distances[0], (result.output - result.target).square().mean())
    torch.testing.assert_close(errors.kl_by_dimension, kl_to_standard_normal(result.posterior).mean(dim=0))
    alone = [
        _measure(elbo, Reconstruction(*(part[n : n + 1] for part in result[:2]), _one(result, n))) for n in range(5)
    ]
    for whole, apart, single in zip(errors, each, zip(*alone, strict=True), strict=True):
        torch.testing.assert_close(apart, torch.stack(single))
        torch.testing.assert_close(apart.mean(dim=0), whole)


def _one(result, number):
    return Posterior(*(part[number : number + 1] for part in result.posterior))


def test_many_errors_are_scored_as_each_of_them():
    torch.manual_seed(0)
    result = _result(torch.randn(5, 32, 10), torch.randn(5, 32, 10), torch.randn(5, 4), torch.randn(5, 4))
    elbo = _elbo(free_bits=0.5, energy_weight=0.3)
    each = elbo.measure_each(result, NO_WAVEFORM)
    together = elbo.score(each).total(0.7)
    for number in range(5):
        alone = elbo.score(LossComponents(*(values[number] for values in each))).total(0.7)
        torch.testing.assert_close(together[number], alone)


def test_perfect_silence_has_a_finite_gradient():
    output = torch.zeros(1, 32, 10, requires_grad=True)
    elbo = _elbo(energy_weight=0.3)
    elbo.score(_measure(elbo, _result(output, torch.zeros(1, 32, 10)))).total().backward()
    assert torch.isfinite(output.grad).all()
