"""Windows of sound in the plane: each with its kind, its place in its sound and what is heard there."""

import torch

from sda.evaluation.sound_map import MOST_POINTS, draw_map
from sda.evaluation.sounds import Sound
from sda.evaluation.suite import EvaluationAudio
from tests.conftest import RATE_HZ

WINDOW = RATE_HZ // 10


def _noises(n_sounds, seconds, seed):
    generator = torch.Generator().manual_seed(seed)
    n_samples = round(seconds * RATE_HZ)
    return [Sound(f"{n}", 0.1 * torch.randn(n_samples, generator=generator), start_s=5.0) for n in range(n_sounds)]


def _describe(reference, clips):
    """Level and brightness, scaled by those of real sound."""
    own, real = (
        torch.stack([one.square().mean(1).sqrt(), one.diff(dim=1).square().mean(1).sqrt()], dim=1)
        for one in (clips, reference)
    )
    return own / real.mean(dim=0)


def test_every_point_is_the_window_that_it_says():
    audio = EvaluationAudio(RATE_HZ, _noises(2, 0.5, 0), _noises(1, 0.3, 1), _noises(3, 0.2, 2))
    points, share = draw_map(audio, WINDOW, _describe, seed=0)
    kinds = [point.kind for point in points]
    assert {kind: kinds.count(kind) for kind in kinds} == {"train": 10, "held_out": 3, "generated": 6}
    for point in points:
        first = round((point.start_s - 5.0) * RATE_HZ)
        assert torch.equal(point.clip, point.sound.waveform[first : first + WINDOW])
    assert 0.99 < share <= 1.0 + 1e-6, "two numbers a window have no more than two directions"


def test_of_much_sound_some_windows_of_each_kind_are_shown():
    audio = EvaluationAudio(RATE_HZ, _noises(2, 10.0, 0), [], _noises(2, 4.0, 1))
    points, _ = draw_map(audio, WINDOW, _describe, seed=0)
    kinds = [point.kind for point in points]
    assert (kinds.count("train"), kinds.count("generated")) == (MOST_POINTS["train"], MOST_POINTS["generated"])


def test_of_too_few_windows_there_is_no_map():
    assert draw_map(EvaluationAudio(RATE_HZ, _noises(1, 0.7, 0), [], []), WINDOW, _describe, seed=0) == ([], 0.0)
