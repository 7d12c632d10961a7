import pytest
import torch

from sda.generation.curves import Curve, parse_curve
from sda.generation.loudness import LoudnessScale
from sda.generation.steering import ControlSteering, Direction

LOUDNESS = LoudnessScale(2, db=10.0, hop_s=0.1)
ONE = Curve((0.0,), (1.0,))


def _change(steering, path, first=0, n_block=100):
    return torch.cat(list(steering.change(torch.split(path, n_block, dim=1), first)), dim=1)


def test_a_path_is_moved_as_far_as_the_curve_says():
    direction = Direction(torch.tensor([0.0, 0.0, 1.0, -2.0]))
    steering = ControlSteering(LOUDNESS, [(direction, parse_curve("0:0,1:1"))])
    moved = _change(steering, torch.zeros(4, 11))
    assert torch.allclose(moved[2], torch.linspace(0.0, 1.0, 11))
    assert torch.allclose(moved[3], -2.0 * torch.linspace(0.0, 1.0, 11))
    assert not moved[:2].any()


def test_it_does_not_matter_in_which_blocks_a_path_comes_and_before_its_beginning_nothing_is_moved():
    steering = ControlSteering(LOUDNESS, [(Direction(torch.ones(4)), parse_curve("0:1,1:3"))], falls=ONE)
    path = torch.randn(4, 20, generator=torch.Generator().manual_seed(0))
    assert torch.equal(_change(steering, path), _change(steering, path, n_block=3))
    plain = ControlSteering(LOUDNESS, [(Direction(torch.ones(4)), ONE)])
    moved = _change(plain, torch.zeros(4, 10), first=-6)
    assert not moved[:, :6].any()
    assert bool((moved[:, 6:] == 1.0).all())


def test_noise_is_added_up_over_controls():
    some = [(Direction(torch.zeros(4), more_noise=odds), ONE) for odds in (2.0, -0.5)]
    assert ControlSteering(LOUDNESS, some).list_more_noise(torch.tensor([-1, 0, 5])).tolist() == [0.0, 1.5, 1.5]
    assert ControlSteering(LOUDNESS).list_more_noise(torch.arange(3)).tolist() == [0.0, 0.0, 0.0]


def _fall(falls):
    """Levels of an event at 0.5 s that falls by 10 dB a second, with so much more fall. → dB"""
    levels = torch.full((40,), -60.0)
    levels[10:] = -0.5 * torch.arange(30)
    path = torch.zeros(4, 20)
    path[:2] = (levels / LOUDNESS.db).reshape(-1, 2).T
    steering = ControlSteering(LOUDNESS, falls=Curve((0.0,), (falls,)))
    return LOUDNESS.take_db(_change(steering, path))


@pytest.mark.parametrize("falls", [20.0, 0.0, -5.0])
def test_an_event_falls_more_quickly_by_so_many_db_a_second_and_what_was_before_it_stays(falls):
    levels = _fall(falls)
    assert torch.allclose(levels[:10], torch.tensor(-60.0), atol=1e-4)
    slope = (levels[10] - levels[39]) / (29 * 0.05)
    assert float(slope) == pytest.approx(10.0 + falls, abs=0.01)


def test_a_slower_fall_never_gets_louder_than_the_peak():
    assert float(_fall(-100.0).max()) <= 1e-4


def test_level_is_exact_and_changes_nothing_else(spectral_synthesizer, sound):
    synthesizer = spectral_synthesizer
    path = synthesizer.encode(sound)
    louder = synthesizer.adapted(steering=ControlSteering(synthesizer.loudness, gain=Curve((0.0,), (6.0,))))
    plain = synthesizer.decode(path, len(sound), 1)
    torch.testing.assert_close(louder.decode(path, len(sound), 1), plain * 10 ** (6 / 20))
    assert synthesizer.steering is None


def test_level_does_not_step():
    """Where a curve begins in the middle of a sound, and from one point to the next."""
    steering = ControlSteering(LOUDNESS, gain=Curve((0.0,), (6.0,)))
    gain = steering.amplify(torch.ones(400), -2, 100)
    assert gain[:101].tolist() == [1.0] * 101
    assert float(gain.diff().max()) < 0.02
    assert gain[200:].tolist() == pytest.approx([10 ** (6 / 20)] * 200)


def test_more_noise_is_heard_and_without_noise_nothing_changes(spectral_synthesizer, sound):
    synthesizer = spectral_synthesizer
    path, loudness = synthesizer.encode(sound), synthesizer.loudness
    steering = ControlSteering(loudness, [(Direction(torch.zeros(8), more_noise=6.0), ONE)])
    noisier = synthesizer.adapted(steering=steering)
    assert not torch.equal(noisier.decode(path, len(sound), 1), synthesizer.decode(path, len(sound), 1))
    assert torch.equal(noisier.decode(path, len(sound)), synthesizer.decode(path, len(sound)))


def test_a_steered_sound_is_the_same_however_it_is_cut(spectral_synthesizer, sound):
    synthesizer = spectral_synthesizer
    path, loudness = synthesizer.encode(sound), synthesizer.loudness
    direction = Direction(0.1 * torch.ones(8), more_noise=3.0)
    rising = parse_curve("0:-1,2:1")
    steering = ControlSteering(loudness, [(direction, rising)], gain=rising, falls=Curve((0.0,), (20.0,)))
    steered = synthesizer.adapted(steering=steering)
    whole = steered.decode(path, len(sound), 1)
    blocks = torch.cat(list(steered.decode_stretches(torch.split(path, 5, dim=1), len(sound), 1)))
    assert torch.equal(whole, blocks)
