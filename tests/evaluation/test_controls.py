import math

import pytest
import torch

from sda.audio.descriptors import CorpusRange
from sda.bootstrap import Estimate
from sda.evaluation.controls import (
    POSITIONS,
    ControlProof,
    ProvenControls,
    judge_control,
    measure_ranges,
    number_axis,
    take_loudest,
    take_starts,
)
from sda.evaluation.sounds import Sound
from sda.generation.controls import Controls
from sda.generation.loudness import LoudnessScale

RANGES = {"brightness": CorpusRange(9.0, 13.0), "noisiness": CorpusRange(0.0, 1.0), "level": CorpusRange(-30.0, -10.0)}
FILES = ["a", "b", "c", "d", "e"]


def _turn(brightness, noisiness=lambda position: 0.5):
    """Descriptors of each file at every position."""
    return [
        [{"brightness": 11.0 + brightness(one), "noisiness": noisiness(one), "level": -20.0} for one in POSITIONS]
        for _ in FILES
    ]


def _prove(brightness, **others):
    return judge_control("brightness", 1.0, RANGES, _turn(brightness, **others), FILES)


def _name(*proofs):
    return ProvenControls(Controls(LoudnessScale(0, 0.0, 0.1), {}), proofs, RANGES)


def test_a_control_that_is_followed_has_its_name():
    proof = _prove(lambda position: position)
    assert (proof.correlation.value, proof.achieved.value) == (1.0, 1.0)
    assert proof.leakage == {"noisiness": 0.0, "level": 0.0}
    assert _name(proof).is_named("brightness")


@pytest.mark.parametrize("response", [lambda _: 0.0, lambda position: -position, abs])
def test_one_that_is_not_followed_has_none(response):
    assert not _name(_prove(response)).is_named("brightness")


def test_leakage_is_measured_by_the_range_of_either():
    proof = _prove(lambda position: position, noisiness=lambda position: 0.5 + 0.1 * position)
    assert proof.leakage["noisiness"] == pytest.approx((0.2 / 1.0) / (2.0 / 4.0))


def test_what_goes_and_comes_back_has_leaked_too():
    proof = _prove(lambda position: position, noisiness=lambda position: 0.5 + 0.1 * abs(position))
    assert proof.leakage["noisiness"] == pytest.approx((0.1 / 1.0) / (2.0 / 4.0))


def test_what_moves_another_control_has_no_name_and_what_moves_along_is_told():
    leaking = _prove(lambda position: position, noisiness=lambda position: 0.5 + 0.1 * position)
    kept = Estimate(1.0, 1.0, 1.0)
    noisiness = ControlProof("noisiness", 0.3, RANGES["noisiness"], kept, kept, {"brightness": 0.0}, 5)
    assert _name(leaking).is_named("brightness")
    assert leaking.list_moving_along() == {"noisiness": pytest.approx(0.4)}
    both = _name(leaking, noisiness)
    assert not both.is_named("brightness")
    assert both.list_disturbed("brightness") == ["noisiness"]
    assert both.is_named("noisiness")


@pytest.mark.parametrize(("n_files", "is_named"), [(1, False), (2, False), (3, True)])
def test_a_file_or_two_prove_nothing(n_files, is_named):
    few = judge_control("brightness", 1.0, RANGES, _turn(lambda position: position)[:n_files], FILES[:n_files])
    assert few.correlation.value == 1.0
    assert _name(few).is_named("brightness") == is_named


def test_what_could_not_be_described_is_left_out():
    proof = judge_control("decay", 1.0, {**RANGES, "decay": CorpusRange(0.0, 50.0)}, _turn(abs), FILES)
    assert math.isnan(proof.correlation.value)
    assert proof.n_files == 0


def test_starts_are_the_loudest_stretch_of_every_file():
    loud = torch.zeros(16000 * 8)
    loud[16000 * 4 : 16000 * 6] = 0.5
    sounds = [Sound("a", loud), Sound("a", torch.ones(10), 3.0), Sound("b", torch.ones(100))]
    starts = take_starts(sounds, 16000)
    assert [start.name for start in starts] == ["a", "b"]
    assert len(starts[0].waveform) == 48000
    assert float(starts[0].waveform.square().sum()) == float(loud.square().sum())
    assert torch.equal(take_loudest(torch.ones(5), 10), torch.ones(5))


def test_ranges_are_no_closer_than_what_is_heard():
    tone = 0.1 * torch.sin(2 * math.pi * 440 * torch.arange(16000) / 16000)
    ranges = measure_ranges([Sound("a", tone), Sound("b", tone)], 16000)
    assert ranges["brightness"].width == pytest.approx(0.5)
    assert ranges["brightness"].low < math.log2(440) + 0.1 < ranges["brightness"].high + 0.2
    assert "decay" not in ranges


def test_axes_are_numbered_from_one():
    assert [number_axis(key) for key in ("level", "brightness", "roughness")] == [1, 2, 6]
