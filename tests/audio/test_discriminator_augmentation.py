import math
from dataclasses import fields, replace

import numpy as np
import pytest
import torch

from sda.audio.discriminator_augmentation import AugmentationDraws, DiscriminatorAugmentation, mask_band, shift_round

RATE_HZ = 48000
N_SAMPLES = 24000


def _noise(n_items: int, n_samples: int = N_SAMPLES) -> torch.Tensor:
    return 0.1 * torch.randn(n_items, n_samples, generator=torch.Generator().manual_seed(0))


def _none(n_items: int) -> AugmentationDraws:
    return DiscriminatorAugmentation().draw(np.random.default_rng(0), n_items, strength=0.0)


def _only(**columns: list) -> AugmentationDraws:
    """Nothing but what is asked for."""
    none = _none(len(next(iter(columns.values()))))
    return replace(none, **{name: np.asarray(values, getattr(none, name).dtype) for name, values in columns.items()})


def _response_db(varied: torch.Tensor, sounds: torch.Tensor) -> torch.Tensor:
    return 20 * (torch.fft.rfft(varied).abs() / torch.fft.rfft(sounds).abs()).clamp(min=1e-10).log10()


def test_a_gain_is_that_many_db():
    sounds = _noise(3)
    varied = DiscriminatorAugmentation()(sounds, _only(gain_db=[6.0, -12.0, 0.0]), RATE_HZ)
    gains_db = 10 * (varied.square().mean(dim=1) / sounds.square().mean(dim=1)).log10()
    torch.testing.assert_close(gains_db, torch.tensor([6.0, -12.0, 0.0]), atol=1e-3, rtol=0.0)


def test_polarity_turns_over_just_those_that_were_drawn():
    sounds = _noise(3)
    varied = DiscriminatorAugmentation()(sounds, _only(inverted=[True, False, True]), RATE_HZ)
    assert torch.equal(varied, torch.stack([-sounds[0], sounds[1], -sounds[2]]))


def test_a_rotation_keeps_the_magnitude_and_turns_a_sine_into_a_cosine():
    time_s = torch.arange(N_SAMPLES, dtype=torch.float64) / RATE_HZ
    sine = torch.sin(2 * math.pi * 1000 * time_s)[None].float()
    cosine = torch.cos(2 * math.pi * 1000 * time_s)[None].float()
    torch.testing.assert_close(
        DiscriminatorAugmentation()(sine, _only(phase=[math.pi / 2]), RATE_HZ), cosine, atol=1e-3, rtol=0.0
    )
    sounds = _noise(2)
    varied = DiscriminatorAugmentation()(sounds, _only(phase=[1.0, -2.0]), RATE_HZ)
    inner = slice(1, -1)  # a rotated phase cannot be told of the constant and of the Nyquist frequency
    assert _response_db(varied, sounds)[:, inner].abs().max() < 0.1
    assert not torch.allclose(varied, sounds, atol=0.01)


def test_a_tilt_is_that_many_db_per_octave_around_1_khz():
    sounds = _noise(2)
    gains_db = _response_db(DiscriminatorAugmentation()(sounds, _only(tilt_db=[2.0, -1.0]), RATE_HZ), sounds)
    for hz, octaves in ((500, -1), (1000, 0), (8000, 3)):
        at = hz * N_SAMPLES // RATE_HZ
        torch.testing.assert_close(gains_db[:, at], torch.tensor([2.0, -1.0]) * octaves, atol=0.01, rtol=0.0)


def test_a_mask_takes_its_band_and_leaves_the_rest():
    sounds = _noise(2)
    columns = {"mask_top_octaves": [2.0, 4.0], "mask_octaves": [1.0, 0.5]}  # 3 … 6 kHz and 1.06 … 1.5 kHz
    varied = DiscriminatorAugmentation()(sounds, _only(**columns), RATE_HZ)
    gains_db = _response_db(varied, sounds)
    hz = torch.fft.rfftfreq(N_SAMPLES, 1 / RATE_HZ)
    for item, (low_hz, high_hz) in enumerate(((3000, 6000), (1500 / math.sqrt(2), 1500))):
        inside = (hz > 1.01 * low_hz) & (hz < 0.99 * high_hz)
        outside = (hz < low_hz / 1.13) | (hz > high_hz * 1.13)  # a sixth of an octave away
        assert gains_db[item, inside].max() < -80
        assert gains_db[item, outside].abs().max() < 0.1
        assert (gains_db[item, ~inside & ~outside] < 0.1).all()


def test_a_masked_sound_does_not_ring_for_long():
    click = torch.zeros(1, N_SAMPLES)
    click[0, 12000] = 1.0
    rest = mask_band(click, np.array([2.0], np.float32), np.array([1.0], np.float32))[0]
    rest[12000 - 480 : 12000 + 480] = 0.0  # 10 ms either way
    assert 10 * math.log10(rest.square().sum().item()) < -50


def test_a_shift_goes_round_and_loses_nothing():
    sounds = _noise(3)
    shifted = shift_round(sounds, np.array([0.25, 0.0, 0.5]))
    assert torch.equal(shifted[0, 6000:], sounds[0, :18000])
    assert torch.equal(shifted[0, :6000], sounds[0, 18000:])
    assert torch.equal(shifted[1], sounds[1])
    assert torch.equal(shift_round(shifted, np.array([0.75, 0.0, 0.5])), sounds)


def test_at_strength_0_the_very_same_tensor_comes_back():
    sounds = _noise(4)
    assert DiscriminatorAugmentation()(sounds, _none(4), RATE_HZ) is sounds


def test_what_is_not_disguised_stays_the_same_to_the_last_digit_and_the_input_is_not_written_to():
    sounds = _noise(40)
    before = sounds.clone()
    disguises = DiscriminatorAugmentation().draw(np.random.default_rng(1), 40, strength=0.2)
    varied = DiscriminatorAugmentation()(sounds, disguises, RATE_HZ)
    untouched = ~disguises.inverted
    for name in ("gain_db", "phase", "shift", "tilt_db", "mask_octaves"):
        untouched &= getattr(disguises, name) == 0
    assert 0 < untouched.sum() < 40
    same = np.array([torch.equal(one, other) for one, other in zip(varied, sounds, strict=True)])
    np.testing.assert_array_equal(same, untouched)
    assert torch.equal(sounds, before)


def test_an_item_does_not_depend_on_the_others_in_its_batch():
    sounds = _noise(6)
    disguises = DiscriminatorAugmentation().draw(np.random.default_rng(1), 6, strength=0.8)
    together = DiscriminatorAugmentation()(sounds, disguises, RATE_HZ)
    for row in range(6):
        one = AugmentationDraws(
            *(getattr(disguises, column.name)[row : row + 1] for column in fields(AugmentationDraws))
        )
        torch.testing.assert_close(
            together[row : row + 1], DiscriminatorAugmentation()(sounds[row : row + 1], one, RATE_HZ)
        )


def test_gradients_pass_every_disguise():
    sounds = _noise(1, 64).double().requires_grad_()
    once = {"mask_top_octaves": [2.0], "mask_octaves": [1.0]}
    for columns in (
        {"gain_db": [6.0]},
        {"inverted": [True]},
        {"phase": [1.0]},
        {"shift": [0.3]},
        {"tilt_db": [1.0]},
        once,
    ):
        disguises = _only(**columns)
        assert torch.autograd.gradcheck(
            lambda waveform, drawn=disguises: DiscriminatorAugmentation()(waveform, drawn, RATE_HZ), sounds
        )


def test_gradients_are_finite_on_silence():
    silence = torch.zeros(8, 2000, requires_grad=True)
    disguises = DiscriminatorAugmentation().draw(np.random.default_rng(0), 8, strength=1.0)
    varied = DiscriminatorAugmentation()(silence, disguises, RATE_HZ)
    varied.sum().backward()
    assert torch.equal(varied, torch.zeros(8, 2000))
    assert torch.isfinite(silence.grad).all()


@pytest.mark.parametrize("n_samples", [999, 1000])
def test_the_length_stays_whatever_it_is(n_samples):
    disguises = DiscriminatorAugmentation().draw(np.random.default_rng(0), 8, strength=1.0)
    varied = DiscriminatorAugmentation()(_noise(8, n_samples), disguises, RATE_HZ)
    assert varied.shape == (8, n_samples)
    assert torch.isfinite(varied).all()


def test_each_disguise_happens_as_often_as_the_strength_says_and_apart_from_the_others():
    drawn = DiscriminatorAugmentation().draw(np.random.default_rng(0), 4000, strength=0.3)
    happened = {name: getattr(drawn, name) != 0 for name in ("gain_db", "phase", "shift", "tilt_db", "mask_octaves")}
    for rows in happened.values():
        assert rows.mean() == pytest.approx(0.3, abs=0.022)  # three deviations
    assert drawn.inverted.mean() == pytest.approx(0.15, abs=0.017)
    assert (happened["gain_db"] & happened["shift"]).mean() == pytest.approx(0.09, abs=0.014)


def test_ranges_are_kept_and_used():
    drawn = DiscriminatorAugmentation().draw(np.random.default_rng(0), 4000, strength=1.0)
    for values, low, high in (
        (drawn.gain_db, -12, 12),
        (drawn.tilt_db, -2, 2),
        (drawn.phase, -math.pi, math.pi),
        (drawn.shift, 0, 1),
        (drawn.mask_octaves, 0.25, 1),
        (drawn.mask_top_octaves, 0, 7),
    ):
        assert low <= values.min() < low + 0.01 * (high - low)
        assert high >= values.max() > high - 0.01 * (high - low)


def test_what_is_drawn_follows_from_the_seed():
    first, again, other = (
        DiscriminatorAugmentation().draw(np.random.default_rng(seed), 50, strength=0.5) for seed in (1, 1, 2)
    )
    for column in fields(AugmentationDraws):
        np.testing.assert_array_equal(getattr(first, column.name), getattr(again, column.name))
    assert not np.array_equal(first.gain_db, other.gain_db)


def test_the_generator_moves_on_alike_whatever_the_strength():
    weak, strong = np.random.default_rng(0), np.random.default_rng(0)
    DiscriminatorAugmentation().draw(weak, 10, strength=0.0)
    DiscriminatorAugmentation().draw(strong, 10, strength=1.0)
    assert weak.random() == strong.random()
