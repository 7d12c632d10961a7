"""Folders of sound assessed as a whole, from the search for replays to the verdict."""

import pytest

from sda.evaluation.assessment import assess_folders
from sda.evaluation.suite import EvaluationAudio
from tests.conftest import RATE_HZ
from tests.evaluation.conftest import read_sounds


@pytest.mark.slow
def test_a_folder_of_copies_is_found_to_replay_and_all_is_told_on_the_way(make_textures):
    real = read_sounds(make_textures("real", 16, duration_s=1.0))
    copies, told = real[:8], []
    audio, halves = EvaluationAudio(RATE_HZ, real, [], copies), EvaluationAudio(RATE_HZ, real[:8], real[8:], copies)
    found = assess_folders(audio, halves, seed=0, stage=lambda what, share: told.append((what, share)))
    assert found.verdict.label == "replaying"
    assert found.memorisation.replay.rate.value == 1.0
    assert (found.reconstruction, found.latents) == (None, None), "there is no model"
    assert {point.kind for point in found.points} == {"train", "generated"}
    assert found.distribution.keys() == {"hand_made", "aisfx"}
    shares = [share for _, share in told]
    assert shares == sorted(shares)
    assert 0.0 < shares[0] < shares[-1] < 1.0
    assert told[0][0] == "looking for replays"
