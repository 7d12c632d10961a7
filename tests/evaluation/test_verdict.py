import math
from dataclasses import replace

import pytest

from sda.bootstrap import Estimate
from sda.evaluation.distribution import DistributionScores, RebuiltScores
from sda.evaluation.findings import BLAME, Evidence, find_blame
from sda.evaluation.form_comparison import Form, Silence
from sda.evaluation.verdict import WITH_MODEL, WITHOUT_MODEL, judge

NOTHING = Estimate(0.0, -0.1, 0.1)
SOMETHING = Estimate(0.3, 0.2, 0.4)


def _likeness(value=1.2, low=0.4, high=2.5, coverage=0.6, shortfall=NOTHING, **changes):
    ratio = Estimate(value, low, high)
    return DistributionScores(
        mmd2=SOMETHING, mmd2_train=NOTHING, ratio=ratio, density=0.8, coverage=coverage, density_train=1.0,
        coverage_train=0.7, coverage_shortfall=shortfall, excess=SOMETHING, n_windows=100, n_held_out_windows=100,
        n_held_out_files=12, **changes,
    )  # fmt: skip


def _unlike(value=35.0, low=18.0, high=40.0):
    return _likeness(value, low, high, coverage=0.05, shortfall=Estimate(0.6, 0.4, 0.8))


def _rebuilt(lost_rebuilding, lost_drawing):
    ratio = Estimate(8.4, 4.0, 12.0)
    return _likeness(rebuilt=RebuiltScores(SOMETHING, ratio, 0.5, 0.5, lost_rebuilding, lost_drawing))


def _form(excess):
    traits = {"silent_share": Estimate(0.45, 0.3, 0.6), "onsets_per_s": Estimate(1.4, 1.0, 1.8)}
    return Form(
        traits={"generated": traits, "held_out": {"silent_share": NOTHING, "onsets_per_s": Estimate(1.3, 1.0, 1.6)}},
        distance={"generated": Estimate(excess.value + 0.1, 0.0, 2.0), "train": Estimate(0.1, -0.1, 0.3)},
        distance_by_trait={
            "generated": {"silent_share": 3.0, "onsets_per_s": 0.1},
            "train": dict.fromkeys(traits, 0.0),
        },
        excess=excess,
    )


def _silence(files=NOTHING, frames=NOTHING, left_out=0.0):
    return {"generated": Silence(files, frames, left_out), "real": Silence(Estimate(0, 0, 0.09), NOTHING, 0.0)}


GOOD = Evidence(
    replay_rate=Estimate(0.01, 0.0, 0.05),
    collage_rate=Estimate(0.02, 0.0, 0.06),
    skill_train=Estimate(0.7, 0.6, 0.8),
    skill_held_out=Estimate(0.65, 0.55, 0.75),
    error_ratio=Estimate(1.05, 0.95, 1.15),
    likeness={"hand_made": _likeness()},
    form=_form(Estimate(0.1, -0.2, 0.4)),
    silence=_silence(),
    n_held_out_files=12,
)


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
        ({"likeness": {"hand_made": _unlike(), "aisfx": _likeness(2.0, 0.5, 3.0)}}, "unlike"),
        ({"likeness": {"hand_made": _unlike(6.6, 2.3, 11.6)}}, "cannot tell"),
        ({"likeness": {"hand_made": _likeness(35.0, 18.0, 40.0)}}, "cannot tell"),
        ({"likeness": {"hand_made": _unlike(4.0, 2.8, 6.0)}}, "cannot tell"),
        ({"likeness": {}}, "cannot tell"),
        ({"form": None}, "learned"),
        ({"form": _form(Estimate(1.6, 0.9, 2.4))}, "unlike"),
        ({"form": _form(Estimate(1.6, 0.05, 2.4))}, "cannot tell"),
        ({"form": _form(Estimate(0.4, 0.2, 0.6))}, "learned"),
        ({"silence": _silence(files=Estimate(0.6, 0.3, 0.8))}, "unlike"),
        ({"silence": _silence(files=Estimate(0.2, 0.05, 0.4))}, "learned"),
        ({"silence": _silence(frames=Estimate(0.45, 0.3, 0.6))}, "unlike"),
        ({"silence": _silence(frames=Estimate(0.25, 0.15, 0.4))}, "learned"),
        ({"silence": _silence(frames=Estimate(0.9, 0.8, 1.0)), "error_ratio": Estimate(1.6, 1.3, 2.0)}, "unlike"),
        ({"n_held_out_files": 2}, "cannot tell"),
        ({"weakness": "one recording"}, "cannot tell"),
    ],
)
def test_the_label_follows_the_intervals(change, label):
    assert judge(replace(GOOD, **change)).label == label


def test_what_decided_is_named_and_has_words_of_its_own():
    silent = judge(replace(GOOD, silence=_silence(files=Estimate(0.6, 0.3, 0.8))))
    deformed = judge(replace(GOOD, form=_form(Estimate(1.6, 0.9, 2.4))))
    assert (silent.case, deformed.case) == ("silent", "deformed")
    assert silent.headline != deformed.headline
    assert set(WITHOUT_MODEL) | {"underfit", "overfit"} == set(WITH_MODEL)


def test_every_sentence_stands_on_a_number():
    verdict = judge(GOOD)
    assert [finding.key for finding in verdict.findings] == [
        "memorisation.replay_rate",
        "memorisation.collage_rate",
        "reconstruction.skill_train",
        "reconstruction.skill_held_out",
        "reconstruction.error_ratio",
        "distribution.hand_made.ratio",
        "form.distance",
        "silence.generated.near_silent_files",
        "silence.generated.silent_frames",
    ]
    texts = {finding.key: finding.text for finding in verdict.findings}
    assert "1 % (0 to 5) of the generated seconds" in texts["memorisation.replay_rate"]
    assert "1.05 (0.95 to 1.15) times" in texts["reconstruction.error_ratio"]
    assert "1.20 (0.40 to 2.50) times as far" in texts["distribution.hand_made.ratio"]
    assert "comes close to 60 % of it; training sound to 70 %" in texts["distribution.hand_made.ratio"]
    assert "training sounds 0.10 (-0.10 to 0.30)." in texts["form.distance"]


def test_the_trait_that_is_most_apart_is_named_where_sounds_are_apart():
    texts = [finding.text for finding in judge(replace(GOOD, form=_form(Estimate(1.6, 0.9, 2.4)))).findings]
    assert any("most apart: silent frames, 0.45 where unheard sound has 0.00" in text for text in texts)


def test_what_was_left_out_as_too_quiet_is_told():
    texts = " ".join(finding.text for finding in judge(replace(GOOD, silence=_silence(left_out=0.28))).findings)
    assert "28 % of the generated seconds are too quiet to be compared" in texts
    assert "too quiet" not in " ".join(finding.text for finding in judge(GOOD).findings)


@pytest.mark.parametrize(
    ("lost_rebuilding", "lost_drawing", "blame"),
    [
        (SOMETHING, SOMETHING, "both"),
        (SOMETHING, NOTHING, "decoder"),
        (NOTHING, SOMETHING, "prior"),
        (NOTHING, NOTHING, ""),
        (Estimate(0.3, math.nan, math.nan), Estimate(0.3, math.nan, math.nan), ""),
    ],
)
def test_who_loses_likeness_is_said_where_an_interval_says_it(lost_rebuilding, lost_drawing, blame):
    likeness = _rebuilt(lost_rebuilding, lost_drawing)
    assert find_blame(likeness) == blame
    (floor,) = (
        finding
        for finding in judge(replace(GOOD, likeness={"aisfx": likeness})).findings
        if finding.key == "distribution.aisfx.ratio_rebuilt"
    )
    assert "8.40 (4.00 to 12.00) times as far" in floor.text
    assert BLAME[blame] in floor.text


@pytest.mark.parametrize(
    ("rate", "likeness", "label"),
    [
        (Estimate(0.0, 0.0, 0.02), _likeness(1.0, 0.2, 2.0), "new"),
        (Estimate(0.0, 0.0, 0.02), _unlike(46.0, 13.0, 50.0), "unlike"),
        (Estimate(0.9, 0.8, 1.0), _likeness(1.0, 0.2, 2.0), "replaying"),
        (Estimate(0.1, 0.0, 0.6), _likeness(1.0, 0.2, 2.0), "cannot tell"),
    ],
)
def test_of_two_folders_nothing_is_said_of_learning(rate, likeness, label):
    verdict = judge(Evidence(replay_rate=rate, likeness={"hand_made": likeness}, n_held_out_files=8))
    assert verdict.label == label
    assert "learn" not in verdict.headline
    assert "train" not in verdict.headline
