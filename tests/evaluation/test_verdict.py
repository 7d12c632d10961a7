import math
from dataclasses import replace

import pytest

from sda.bootstrap import Estimate
from sda.evaluation.findings import Evidence
from sda.evaluation.verdict import WITH_MODEL, WITHOUT_MODEL, judge
from tests.evaluation.evidence import GOOD, make_form, make_likeness, make_silence


def _unlike(value=35.0, low=18.0, high=40.0):
    return make_likeness(value, low, high, coverage=0.05, shortfall=Estimate(0.6, 0.4, 0.8))


@pytest.mark.parametrize(
    ("change", "label"),
    [
        ({}, "learned"),
        ({"replay_rate": Estimate(0.5, 0.3, 0.7)}, "replaying"),
        ({"collage_rate": Estimate(0.5, 0.3, 0.7)}, "replaying"),
        ({"replay_rate": Estimate(0.2, 0.02, 0.7)}, "cannot tell"),
        ({"replay_doubt": "too few to tell"}, "cannot tell"),
        ({"skill_train": Estimate(0.1, 0.0, 0.2), "error_ratio": Estimate(1.6, 1.3, 2.0)}, "underfit"),
        ({"error_ratio": Estimate(1.6, 1.3, 2.0)}, "overfit"),
        ({"error_ratio": Estimate(1.6, 0.9, 2.0)}, "cannot tell"),
        ({"error_ratio": Estimate(1.6, math.nan, math.nan)}, "cannot tell"),
        ({"likeness": {"hand_made": _unlike()}}, "unlike"),
        ({"likeness": {"hand_made": _unlike(6.6, 2.9, 11.6)}}, "unlike"),
        ({"likeness": {"hand_made": _unlike(), "aisfx": make_likeness(2.0, 0.5, 3.0)}}, "unlike"),
        ({"likeness": {"hand_made": _unlike(6.6, 2.3, 11.6)}}, "cannot tell"),
        ({"likeness": {"hand_made": make_likeness(35.0, 18.0, 40.0)}}, "cannot tell"),
        ({"likeness": {"hand_made": _unlike(4.0, 2.8, 6.0)}}, "cannot tell"),
        ({"likeness": {}}, "cannot tell"),
        ({"form": None}, "learned"),
        ({"form": make_form(Estimate(1.6, 0.9, 2.4))}, "unlike"),
        ({"form": make_form(Estimate(1.6, 0.05, 2.4))}, "cannot tell"),
        ({"form": make_form(Estimate(0.4, 0.2, 0.6))}, "learned"),
        ({"silence": make_silence(files=Estimate(0.6, 0.3, 0.8))}, "unlike"),
        ({"silence": make_silence(files=Estimate(0.2, 0.05, 0.4))}, "learned"),
        ({"silence": make_silence(frames=Estimate(0.45, 0.3, 0.6))}, "unlike"),
        ({"silence": make_silence(frames=Estimate(0.25, 0.15, 0.4))}, "learned"),
        ({"silence": make_silence(frames=Estimate(0.9, 0.8, 1.0)), "error_ratio": Estimate(1.6, 1.3, 2.0)}, "unlike"),
        ({"n_held_out_files": 2}, "cannot tell"),
        ({"weakness": "one recording"}, "cannot tell"),
    ],
)
def test_the_label_follows_the_intervals(change, label):
    assert judge(replace(GOOD, **change)).label == label


def test_what_decided_is_named_and_has_words_of_its_own():
    silent = judge(replace(GOOD, silence=make_silence(files=Estimate(0.6, 0.3, 0.8))))
    deformed = judge(replace(GOOD, form=make_form(Estimate(1.6, 0.9, 2.4))))
    assert (silent.case, deformed.case) == ("silent", "deformed")
    assert silent.headline != deformed.headline
    assert set(WITHOUT_MODEL) | {"underfit", "overfit"} == set(WITH_MODEL)


@pytest.mark.parametrize(
    ("rate", "likeness", "label"),
    [
        (Estimate(0.0, 0.0, 0.02), make_likeness(1.0, 0.2, 2.0), "new"),
        (Estimate(0.0, 0.0, 0.02), _unlike(46.0, 13.0, 50.0), "unlike"),
        (Estimate(0.9, 0.8, 1.0), make_likeness(1.0, 0.2, 2.0), "replaying"),
        (Estimate(0.1, 0.0, 0.6), make_likeness(1.0, 0.2, 2.0), "cannot tell"),
    ],
)
def test_of_two_folders_nothing_is_said_of_learning(rate, likeness, label):
    verdict = judge(Evidence(replay_rate=rate, likeness={"hand_made": likeness}, n_held_out_files=8))
    assert verdict.label == label
    assert "learn" not in verdict.headline
    assert "train" not in verdict.headline
