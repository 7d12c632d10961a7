import pytest
import torch

from sda.audio.noise import draw_noise


@pytest.mark.parametrize(("first", "n_samples"), [(0, 1), (1, 7), (7, 2), (8, 8), (13, 4000), (9999, 1)])
def test_a_sample_follows_from_seed_and_place_alone(first, n_samples):
    whole = draw_noise(3, 0, 10_000)
    assert torch.equal(draw_noise(3, first, n_samples), whole[first : first + n_samples])


def test_places_hours_away_are_reached_at_once():
    far = 48_000 * 3600 * 24 * 365
    assert torch.equal(draw_noise(3, far, 100)[50:], draw_noise(3, far + 50, 50))


def test_it_is_gaussian_and_white():
    noise = draw_noise(5, 11, 200_000).double()
    assert noise.mean().abs() < 0.01
    assert noise.square().mean() == pytest.approx(1.0, abs=0.01)
    assert noise.pow(4).mean() == pytest.approx(3.0, abs=0.1)
    power = torch.fft.rfft(noise).abs().square()[1:-1] / len(noise)
    for band in power.split(len(power) // 10 + 1):
        assert band.mean() == pytest.approx(1.0, abs=0.05)


def test_seeds_have_nothing_to_do_with_each_other():
    draws = torch.stack([draw_noise(seed, 0, 100_000) for seed in (0, 1, 2, 100_003)])
    assert (draws @ draws.T / 100_000 - torch.eye(4)).abs().max() < 0.02
