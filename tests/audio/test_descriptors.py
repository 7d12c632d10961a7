"""Each descriptor on sound of which it is known beforehand, and on silence."""

import math

import pytest
import torch

from sda.audio.descriptors import DESCRIPTORS, FRAMEWISE, Describer

RATE_HZ = 48000
TIME_S = torch.arange(3 * RATE_HZ) / RATE_HZ


def _tone(hz, amplitude=0.5):
    return amplitude * torch.sin(2 * math.pi * hz * TIME_S)


def _noise(amplitude=0.1):
    torch.manual_seed(0)
    return amplitude * torch.randn(len(TIME_S))


@pytest.fixture(scope="module")
def describe():
    return Describer(RATE_HZ)


def test_a_tone_is_as_bright_and_as_high_as_its_frequency(describe):
    for hz in (110.0, 440.0, 1760.0):
        found = describe(_tone(hz))
        assert found["brightness"] == pytest.approx(math.log2(hz), abs=0.25)
        assert found["pitch"] == pytest.approx(math.log2(hz), abs=0.03)
        assert found["pitch_strength"] > 0.98
        assert found["noisiness"] < 0.05


def test_white_noise_is_wholly_noisy_and_has_no_pitch(describe):
    found = describe(_noise())
    assert found["noisiness"] == pytest.approx(1.0, abs=0.03)
    assert found["pitch_strength"] < 0.2
    assert "pitch" not in found
    assert found["brightness"] == pytest.approx(math.log2(RATE_HZ / 4), abs=0.05)


def test_noise_beside_a_tone_counts_the_more_the_louder_it_is(describe):
    shares = [describe(_tone(440.0) + _noise(amplitude))["noisiness"] for amplitude in (0.0, 0.01, 0.05, 0.2)]
    assert shares == sorted(shares)
    assert shares[-1] - shares[0] > 0.5


def test_only_level_follows_amplitude(describe):
    quiet, loud = (describe(_tone(440.0, amplitude) + _noise(0.1 * amplitude)) for amplitude in (0.05, 0.5))
    assert loud["level"] - quiet["level"] == pytest.approx(20.0, abs=0.01)
    assert set(loud) == set(quiet) <= set(DESCRIPTORS)
    for name in set(loud) - {"level"}:
        assert loud[name] == pytest.approx(quiet[name], rel=1e-3, abs=1e-3), name


@pytest.mark.parametrize("depth", [0.2, 0.5, 0.9])
def test_roughness_is_the_depth_of_modulation(describe, depth):
    rough = _tone(1000.0) * (1.0 + depth * torch.sin(2 * math.pi * 70.0 * TIME_S))
    assert describe(rough)["roughness"] == pytest.approx(depth, abs=0.05)


def test_slow_trembling_is_no_roughness(describe):
    slow = _tone(1000.0) * (1.0 + 0.5 * torch.sin(2 * math.pi * 6.0 * TIME_S))
    assert describe(slow)["roughness"] < 0.05


@pytest.mark.parametrize("fall_db_s", [20.0, 60.0, 120.0])
def test_decay_is_what_a_struck_tone_falls_by(describe, fall_db_s):
    since_s = TIME_S % 1.0
    found = describe(_tone(440.0) * 10 ** (-fall_db_s * since_s / 20))
    assert found["decay"] == pytest.approx(fall_db_s, rel=0.15)
    assert found["density"] == pytest.approx(1.0, abs=0.35)


def test_a_slower_attack_is_longer(describe):
    fades = [(TIME_S % 1.0 / length_s).clamp(max=1.0) * 10 ** (-2.0 * (TIME_S % 1.0)) for length_s in (0.01, 0.1, 0.2)]
    attacks = [describe(_tone(440.0) * fade)["attack"] for fade in fades]
    assert attacks == sorted(attacks)
    assert attacks[-1] > attacks[0] + 1.0


@pytest.mark.parametrize("n_samples", [0, 1, 100, 5000])
def test_silence_and_scraps_have_no_wrong_numbers(describe, n_samples):
    found = describe(torch.zeros(n_samples))
    assert set(found) <= {"level", "density"}
    assert all(math.isfinite(value) for value in describe(_noise()[:n_samples]).values())


def test_every_frame_that_is_heard_is_described(describe):
    sound = torch.cat([_tone(440.0)[:RATE_HZ], torch.zeros(RATE_HZ)])
    followed = describe.follow(sound)
    assert set(followed) == {*FRAMEWISE, "pitch"}
    n_heard = RATE_HZ // describe.hop_samples
    assert followed["brightness"][2 : n_heard - 2].isfinite().all()
    assert followed["brightness"][n_heard + 3 :].isnan().all()
