import numpy as np
import pytest
import torch

from sda.bootstrap import Estimate
from sda.evaluation.memorisation import Replay, Similarity
from sda.evaluation.nearest import N_NEAREST, list_nearest
from sda.evaluation.sounds import Sound
from sda.evaluation.suite import EvaluationAudio, Memorisation

RATE_HZ = 100


def _memorise(correlation, sound, window_start, threshold=0.6):
    """Windows of some sounds, each closest to the second training sound, 1.25 s into its file."""
    n = len(correlation)
    similarity = Similarity(
        np.array(correlation), np.ones(n, dtype=np.intp), np.full(n, 1.25), np.array(sound), np.array(window_start)
    )
    replay = Replay(Estimate(0.5), threshold, 0.1, 60, 6, n)
    return Memorisation(replay, replay, {"generated": similarity}, window_s=0.5)


def _listen(n_generated):
    ramp = torch.arange(400.0)
    generated = [Sound(f"new {n}", ramp + 1000 * n, start_s=2.0) for n in range(n_generated)]
    return EvaluationAudio(RATE_HZ, [Sound("a.wav", ramp), Sound("b.wav", -ramp, start_s=1.0)], [], generated)


def test_each_generated_sound_is_beside_the_place_it_is_closest_to_the_closest_first():
    found = list(list_nearest(_listen(2), _memorise([0.5, 0.55555, 0.9], [0, 1, 1], [0, 50, 100])))
    (first, clip, source), (second, _, _) = found
    assert (first.generated, first.start_s, first.correlation, first.is_replay) == ("new 1", 3.0, 0.9, True)
    assert (second.generated, second.start_s, second.correlation, second.is_replay) == ("new 0", 2.0, 0.5, False)
    assert (first.source, first.source_start_s) == ("b.wav", 1.25)
    assert clip.tolist() == pytest.approx([1100.0 + n for n in range(50)])
    assert source.tolist() == pytest.approx([-25.0 - n for n in range(50)])


def test_no_more_are_shown_than_can_be_looked_through():
    n = N_NEAREST + 3
    found = list(list_nearest(_listen(n), _memorise(np.linspace(0, 1, n), np.arange(n), np.zeros(n, dtype=int))))
    assert len(found) == N_NEAREST
    assert found[0][0].generated == f"new {n - 1}"
