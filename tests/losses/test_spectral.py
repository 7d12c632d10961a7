import math

import pytest
import torch

from sda.audio.span import take_whole
from sda.losses.spectra import build_filters, compute_magnitude
from sda.losses.spectral import DISTANCES, SpectralObjective, waveform_distance
from sda.models.latents import Posterior, Reconstruction

RATE_HZ = 48000
NOTHING = torch.zeros(1, 2, 3)


def _tone(hz=1000.0, amplitude=0.1, n_samples=8192):
    return amplitude * torch.sin(2 * math.pi * hz / RATE_HZ * torch.arange(n_samples))[None]


def _distance(name, output, target, window=1024):
    filters = build_filters(RATE_HZ, window, torch.device("cpu"))
    magnitudes = compute_magnitude(output, window), compute_magnitude(target, window)
    everywhere = torch.ones(1, magnitudes[1].shape[2], dtype=torch.bool)
    return DISTANCES[name](*magnitudes, filters, everywhere).item()


def _objective(**weights):
    return SpectralObjective(sample_rate_hz=RATE_HZ, weights={"mel": 1.0, **weights}, kl_weight=0.1, free_bits=0.5)


def _result(output, mean=NOTHING):
    return Reconstruction(output, output, Posterior(mean.expand(len(output), -1, -1), torch.zeros_like(mean)))


@pytest.mark.parametrize("name", DISTANCES)
def test_a_sound_is_at_no_distance_from_itself_and_nearer_to_what_is_nearer(name):
    tone = _tone()
    assert _distance(name, tone, tone) == pytest.approx(0.0, abs=1e-4)
    assert _distance(name, 0.9 * tone, tone) < _distance(name, 0.5 * tone, tone)


@pytest.mark.parametrize("name", DISTANCES)
def test_the_phase_is_not_heard(name):
    noise = torch.randn(1, 8192, generator=torch.Generator().manual_seed(0))
    assert _distance(name, -noise, noise) == pytest.approx(0.0, abs=1e-4)


def test_half_the_level_is_the_logarithm_of_two_in_every_band_of_noise():
    noise = torch.randn(1, 48000, generator=torch.Generator().manual_seed(0))
    for name in ("mel", "log_magnitude"):
        assert _distance(name, 0.5 * noise, noise) == pytest.approx(math.log(2), rel=0.02)
    assert _distance("convergence", 0.5 * noise, noise) == pytest.approx(0.5, rel=0.02)


def test_convergence_hears_a_lost_peak_and_log_magnitude_a_lost_floor():
    floor = 1e-4 * torch.randn(1, 8192, generator=torch.Generator().manual_seed(0))
    whole, no_floor, no_peak = _tone() + floor, _tone(), floor
    assert _distance("convergence", no_peak, whole) > 10 * _distance("convergence", no_floor, whole)
    assert _distance("log_magnitude", no_floor, whole) > _distance("log_magnitude", no_peak, whole)


def test_samples_are_compared_in_proportion():
    tone = _tone()
    assert waveform_distance(0.5 * tone, tone, take_whole(tone)).item() == pytest.approx(0.5, abs=0.01)
    assert waveform_distance(-tone, tone, take_whole(tone)).item() == pytest.approx(2.0, abs=0.04)


@pytest.mark.parametrize("target", [torch.zeros(1, 8192), _tone()], ids=["silence", "tone"])
@pytest.mark.parametrize("output", [torch.zeros(1, 8192), _tone(2000.0)], ids=["silence", "tone"])
def test_gradients_are_finite_on_silence(output, target):
    output = output.clone().requires_grad_()
    objective = _objective(convergence=1.0, log_magnitude=1.0, waveform=1.0)
    errors = objective.measure_each(_result(output), target)
    objective.score(errors).total().sum().backward()
    assert torch.isfinite(output.grad).all()


def test_twice_the_error_costs_the_logarithm_of_two():
    noise = torch.randn(1, 16384, generator=torch.Generator().manual_seed(0))
    objective = _objective()
    once, twice = (objective.measure_each(_result(share * noise), noise) for share in (0.5, 0.25))
    difference = objective.score(twice).recon - objective.score(once).recon
    assert difference.item() == pytest.approx(math.log(2), abs=0.02)


def test_what_is_drawn_is_the_whole_on_average():
    torch.manual_seed(0)
    output, target = torch.randn(2, 8192) * 0.1, torch.randn(2, 8192) * torch.linspace(0, 0.1, 8192)
    objective = _objective(convergence=1.0)
    whole = objective.measure_each(_result(output), target).distances
    drawn = [objective.measure_each(_result(output), target, draw=True).distances for _ in range(300)]
    torch.testing.assert_close(torch.stack(drawn).mean(dim=0), whole, rtol=0.05, atol=0)
    assert len({tuple(distances.flatten().tolist()) for distances in drawn}) > 10


def test_free_bits_and_the_weight_of_kl_per_dimension():
    mean = torch.tensor([3.0, 0.1])[None, :, None].expand(1, 2, 3)
    objective = _objective()
    tone = _tone()
    terms = objective.score(objective.measure_each(_result(tone, mean), tone))
    assert terms.kl.item() == pytest.approx(0.1 * (4.5 + 0.5) / 2)


def test_errors_average_to_those_of_the_batch_and_a_longer_output_is_cut():
    torch.manual_seed(0)
    output, target = torch.randn(3, 9000), torch.randn(3, 8192)
    objective = _objective(waveform=0.5)
    together = objective.measure_each(_result(output), target).distances
    alone = [objective.measure_each(_result(output[n : n + 1]), target[n : n + 1]).distances for n in range(3)]
    torch.testing.assert_close(together, torch.cat(alone), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("weights", [{"mell": 1.0}, {"mel": 0.0}])
def test_weights_that_mean_nothing_are_refused(weights):
    with pytest.raises(ValueError, match="known are"):
        SpectralObjective(sample_rate_hz=RATE_HZ, weights=weights, kl_weight=0.0, free_bits=0.0)
