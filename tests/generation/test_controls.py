"""Controls are found on a synthesizer of which it is known what every dimension does."""

import math
from types import SimpleNamespace

import pytest
import torch

from sda.audio.descriptors import Describer
from sda.generation import controls
from sda.generation.controls import DECAY, ORDER, REGRESSED, fit_controls
from sda.generation.curves import Curve
from sda.generation.synthesizer import Synthesizer
from sda.models.priors.prior import Manner

RATE_HZ, HOP, N_DIMS = 16000, 512, 5


class _Bank(Synthesizer):
    """Two loudness values; dimension 2 tilts a bank of tones, dimension 3 does nothing, dimension 4 goes along with 2.

    In the paths that are drawn, 3 and 4 follow 2, so that regressing sound on latents would take them for bright.
    """

    n_loudness, hop_samples, writes_noise, db_of_loudness, manner = 2, HOP, True, 10.0, Manner()

    def __init__(self):
        self.features = SimpleNamespace(sample_rate_hz=RATE_HZ)

    def sample(self, n_points, seed):
        generator = torch.Generator().manual_seed(seed)
        path = torch.randn(N_DIMS, n_points, generator=generator)
        path[:2] = 0.0
        path[3] = path[2] + 0.1 * path[3]
        path[4] = path[2] + 0.1 * path[4]
        return path

    def decode_stretches(self, path, n_samples, seed=None, first=0):
        path = torch.cat(list(path), dim=1)
        noise = torch.zeros(path.shape[1])
        if self.steering is not None:
            path = torch.cat(list(self.steering.change([path], first)), dim=1)
            noise = self.steering.list_more_noise(torch.arange(path.shape[1]) + first)
        time_s = torch.arange(path.shape[1] * HOP) / RATE_HZ
        by_sample = path.repeat_interleave(HOP, dim=1)
        gain = 10 ** (by_sample[0] * self.db_of_loudness / 20)
        tones = torch.stack([torch.sin(2 * math.pi * 200 * 2**octave * time_s) for octave in range(5)])
        tilt = 2.0 ** (torch.arange(5)[:, None] * 0.5 * by_sample[2])
        share = torch.sigmoid(noise - 2.0).repeat_interleave(HOP)
        white = torch.randn(len(time_s), generator=torch.Generator().manual_seed(seed or 0))
        tones = (tones * tilt).sum(dim=0) / tilt.square().sum(dim=0).sqrt()
        sound = 0.1 * gain * ((1 - share) * tones + share * white)
        yield (sound if self.steering is None else self.steering.amplify(sound, first, HOP))[:n_samples]

    encode_stretches = posterior = reconstruct = count_points = weigh_dimensions = None


_Bank.__abstractmethods__ = frozenset()


@pytest.fixture(scope="module")
def bank():
    return _Bank()


@pytest.fixture(scope="module")
def found(bank):
    shorter = pytest.MonkeyPatch()
    shorter.setattr(controls, "N_PATHS", 12)
    yield fit_controls(bank)
    shorter.undo()


def test_what_only_goes_along_is_not_moved_for_brightness(found):
    """Pushed for itself, dimension 3 changes nothing: what is left of it is the covariance's own."""
    bright = found.directions["brightness"]
    assert float(bright.latents[2]) > 0.3
    assert not bright.latents[:2].any()
    assert abs(bright.more_noise) < 1.0
    assert found.directions["noisiness"].more_noise > 0.5


def test_a_unit_is_a_unit_of_the_descriptor(bank, found):
    describe, path = Describer(RATE_HZ), bank.sample(150, 99)
    path[2:] *= 0.3
    for key, unit, tolerance in (("brightness", 0.3, 0.4), ("noisiness", 0.05, 2.0), ("level", 6.0, 0.02)):
        values = []
        for turned in (-unit, unit):
            steered = bank.adapted(steering=found.steer({key: Curve((0.0,), (turned,))}))
            values.append(describe(steered.decode(path, 150 * HOP, 3))[key])
        assert values[1] > values[0], key
        assert values[1] - values[0] == pytest.approx(2 * unit, rel=tolerance), key


def test_all_that_can_be_steered_is_listed_in_the_order_of_the_axes(found):
    assert found.keys == ORDER
    assert {*REGRESSED, "level", DECAY} == set(ORDER)


def test_the_same_seed_finds_the_same(bank, found, monkeypatch):
    monkeypatch.setattr(controls, "N_PATHS", 12)
    again = fit_controls(bank)
    for key, direction in found.directions.items():
        assert torch.equal(direction.latents, again.directions[key].latents)
        assert direction.more_noise == again.directions[key].more_noise
