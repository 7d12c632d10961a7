import math

import numpy as np
import pytest
import torch

from sda.audio.augmentation import SPEED_RATIOS, UNCHANGED, Augmentation, change_speed, mix, tilt_and_rotate

RATE_HZ = 48000
NO_PARTNERS = torch.zeros(0, 48000)


def _sine(frequency_hz: float, n_samples: int = 64032) -> torch.Tensor:
    time_s = torch.arange(n_samples, dtype=torch.float64) / RATE_HZ  # float32 would add noise at −50 dB
    return 0.5 * torch.sin(2 * math.pi * frequency_hz * time_s)[None].float()


def _noise(n_items: int, n_samples: int = 64032) -> torch.Tensor:
    return 0.1 * torch.randn(n_items, n_samples, generator=torch.Generator().manual_seed(0))


def _only(**settings: float) -> Augmentation:
    """Nothing but what is asked for, always."""
    off = {"gain_db": 0, "polarity_probability": 0, "speed_probability": 0, "tilt_probability": 0}
    return Augmentation(**{"probability": 1.0, "phase_probability": 0, **off, **settings})


def _vary(pipeline: Augmentation, sounds: torch.Tensor, seed: int = 0) -> tuple[torch.Tensor, object]:
    draws = pipeline.draw(np.random.default_rng(seed), len(sounds))
    n_read = pipeline.read_samples(48000)
    return pipeline(sounds[:, :n_read], draws, 48000, NO_PARTNERS, RATE_HZ), draws


@pytest.mark.parametrize("index", range(len(SPEED_RATIOS)))
def test_a_ratio_moves_a_tone_by_just_that_interval_and_keeps_its_level(index):
    n_out, n_in = SPEED_RATIOS[index]
    changed = change_speed(_sine(1000), np.array([index]), 48000)[0, 2000:44000]
    spectrum = torch.fft.rfft(changed * torch.hann_window(42000), n=48000).abs()
    assert spectrum.argmax().item() == pytest.approx(1000 * n_in / n_out, abs=1)
    assert changed.square().mean().sqrt().item() == pytest.approx(0.5 / math.sqrt(2), rel=1e-3)


@pytest.mark.parametrize("index", range(len(SPEED_RATIOS)))
def test_a_read_is_long_enough_for_every_ratio(index):
    n_read = Augmentation().read_samples(48000)
    changed = change_speed(torch.ones(1, n_read), np.array([index]), 48000)
    assert (changed[:, 100:] > 0.99).all()  # no silence is added; the filter rings where the sound begins


def test_speeding_up_leaves_no_alias():
    index = SPEED_RATIOS.index((3, 4))
    changed = change_speed(_sine(20000), np.array([index]), 48000)  # would land at 26.7 kHz, beyond what there is
    assert changed[:, 1000:].abs().max() < 0.5 * 10 ** (-60 / 20)


def test_items_keep_their_own_ratio_in_a_batch():
    ratio = np.array([UNCHANGED, 3, 0, UNCHANGED, 3])
    sounds = _noise(5)
    batch = change_speed(sounds, ratio, 48000)
    for row in range(5):
        torch.testing.assert_close(batch[row], change_speed(sounds[row : row + 1], ratio[row : row + 1], 48000)[0])
    assert torch.equal(batch[0], sounds[0, :48000])


def test_a_gain_is_that_many_db():
    sounds = _noise(200)
    varied, draws = _vary(_only(gain_db=6.0), sounds)
    ratios_db = 20 * (varied.square().mean(1) / sounds[:, :48000].square().mean(1)).sqrt().log10()
    np.testing.assert_allclose(ratios_db.numpy(), draws.gain_db, atol=1e-3)
    assert np.abs(draws.gain_db).max() <= 6.0
    assert np.ptp(draws.gain_db) > 10  # the range is used


def test_polarity_and_phase_leave_the_magnitude_spectrum_alone():
    sounds = _noise(20)
    spectrum = torch.fft.rfft(sounds[:, :48000]).abs()
    for pipeline in (_only(polarity_probability=0.5), _only(phase_probability=1.0)):
        varied, _ = _vary(pipeline, sounds)
        inner = slice(1, -1)  # a rotated phase cannot be told of the constant and of the Nyquist frequency
        torch.testing.assert_close(torch.fft.rfft(varied).abs()[:, inner], spectrum[:, inner], rtol=1e-3, atol=1e-2)
        assert any(not torch.equal(one, other) for one, other in zip(varied, sounds[:, :48000], strict=True))


def test_half_of_the_items_are_turned_upside_down():
    sounds = _noise(400)
    varied, _ = _vary(_only(polarity_probability=0.5), sounds)
    flipped = [torch.equal(one, -other) for one, other in zip(varied, sounds[:, :48000], strict=True)]
    assert np.mean(flipped) == pytest.approx(0.5, abs=0.075)  # three deviations


def test_a_tilt_is_that_many_db_per_octave_around_1_khz():
    sounds = _noise(1, 48000).repeat(3, 1)
    tilt_db = np.array([2.0, -3.0, 0.0], np.float32)
    tilted = tilt_and_rotate(sounds, tilt_db, np.zeros(3, np.float32), RATE_HZ)
    gains_db = 20 * (torch.fft.rfft(tilted).abs() / torch.fft.rfft(sounds).abs()).log10()
    for hz, octaves in ((500, -1), (1000, 0), (4000, 2), (8000, 3)):
        np.testing.assert_allclose(gains_db[:, hz].numpy(), tilt_db * octaves, atol=0.01)


def test_mixing_keeps_the_power_of_unrelated_sounds():
    one, other = _noise(2, 480000).split(1)
    mixed = mix(one, other, np.array([-6.0], np.float32))
    assert mixed.square().mean().item() == pytest.approx(one.square().mean().item(), rel=0.02)
    partner_db = 20 * math.log10(
        ((mixed * other).mean() / other.square().mean() / (mixed * one).mean() * one.square().mean()).item()
    )
    assert partner_db == pytest.approx(-6.0, abs=0.2)


def test_nothing_is_varied_where_nothing_is_drawn():
    sounds = _noise(8)
    varied, _ = _vary(Augmentation(probability=0.0), sounds)
    assert torch.equal(varied, sounds[:, :48000])


def test_half_of_the_items_are_varied():
    draws = Augmentation().draw(np.random.default_rng(0), 4000)
    assert (draws.gain_db != 0).mean() == pytest.approx(0.5, abs=0.024)  # three deviations
    assert not (draws.inverted & (draws.gain_db == 0)).any()


def test_strength_scales_the_ranges():
    weak, strong = (Augmentation(strength=strength).draw(np.random.default_rng(0), 4000) for strength in (0.5, 1.0))
    for name in ("gain_db", "tilt_db"):
        assert np.abs(getattr(weak, name)).max() == pytest.approx(0.5 * np.abs(getattr(strong, name)).max(), rel=1e-6)
    assert len(Augmentation(strength=0.5).ratios) == 4
    assert len(Augmentation(strength=1.0).ratios) == len(SPEED_RATIOS)
    assert Augmentation(strength=0.0).ratios == []


def test_what_is_drawn_follows_from_the_seed():
    first, again, other = (Augmentation().draw(np.random.default_rng(seed), 50) for seed in (1, 1, 2))
    assert np.array_equal(first.gain_db, again.gain_db)
    assert not np.array_equal(first.gain_db, other.gain_db)
