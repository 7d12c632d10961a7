import pytest
import torch

from sda.generation.modes import (
    JOIN_S,
    Loudness,
    blend,
    continue_stretches,
    count_loop_samples,
    fade_ends,
    loop_stretches,
    vary_stretches,
)
from sda.generation.synthesizer import take_seed
from sda.models.priors.prior import join
from tests.generation.conftest import RATE_HZ


def _make(stretches):
    return torch.cat(list(stretches))


def test_what_comes_after_a_sound_begins_with_it(synthesizer, sound):
    given = sound[:20_000]
    made = _make(continue_stretches(synthesizer, given, 8000, seed=1, number=1))
    n_given = len(given) // synthesizer.hop_samples * synthesizer.hop_samples
    assert len(made) == n_given + 8000
    n_kept = n_given - round(JOIN_S * RATE_HZ)
    assert torch.equal(made[:n_kept], given[:n_kept])
    assert torch.isfinite(made).all()
    other = _make(continue_stretches(synthesizer, given, 8000, seed=1, number=2))
    assert not torch.equal(made[n_given:], other[n_given:])
    assert torch.equal(made, _make(continue_stretches(synthesizer, given, 8000, seed=1, number=1)))


def test_a_relative_of_no_strength_is_the_sound_itself(synthesizer, sound):
    path = synthesizer.encode(sound)
    itself = synthesizer.decode(path, len(sound), take_seed(1, 1))
    made = _make(vary_stretches(synthesizer, path, len(sound), 0.0, seed=1, number=1))
    assert torch.equal(made, itself)
    relatives = [
        join(synthesizer.prior.vary(path, strength, 1, synthesizer.manner)).path for strength in (0.0, 0.3, 1.0)
    ]
    apart = [float((relative - path).square().mean()) for relative in relatives]
    assert apart == sorted(apart)


def test_a_blend_holds_both_and_its_loudness_is_whose_it_is_told():
    first, second = torch.randn(6, 9), torch.randn(6, 7)
    assert torch.equal(blend(first, second, 0.0, Loudness.mix, 2), first[:, :7])
    assert torch.equal(blend(first, second, 1.0, Loudness.mix, 2), second)
    loud = blend(first, second, 0.3, Loudness.second, 2)
    assert torch.equal(loud[:2], second[:2])
    assert torch.allclose(loud[2:], torch.lerp(first[2:, :7], second[2:], 0.3))
    changing = blend(first, second, torch.linspace(0.0, 1.0, 9), Loudness.mix, 2)
    assert torch.equal(changing[:, 0], first[:, 0])
    assert torch.allclose(changing[:, 4], (first[:, 4] + second[:, 4]) / 2)


@pytest.mark.parametrize("n_samples", [4000, 20_000])
def test_a_loop_goes_round_without_a_seam(synthesizer, n_samples):
    loop = _make(loop_stretches(synthesizer, n_samples, seed=3, number=1))
    assert len(loop) == count_loop_samples(synthesizer, n_samples)
    assert torch.equal(loop, _make(loop_stretches(synthesizer, n_samples, seed=3, number=1)))
    twice = torch.cat([loop, loop])
    seam = len(loop)
    steps = twice.diff().abs()
    around = steps[seam - 2 : seam + 1].max()
    assert around <= steps[: len(loop)].quantile(0.999) + 1e-6


def test_ends_are_silent_and_the_rest_is_as_it_was():
    stretches = [torch.ones(500), torch.ones(700)]
    faded = torch.cat(list(fade_ends(stretches, 1200, 16_000)))
    assert faded[0] == faded[-1] == 0.0
    assert torch.equal(faded[48:-48], torch.ones(1104))
    assert (faded[:48].diff() > 0).all()
