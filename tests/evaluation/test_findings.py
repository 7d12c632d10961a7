"""What was found in words: every sentence stands on a number."""

import math
from dataclasses import replace

import pytest

from sda.bootstrap import Estimate
from sda.evaluation.distribution import RebuiltScores
from sda.evaluation.findings import BLAME, find_blame
from sda.evaluation.verdict import judge
from tests.evaluation.evidence import GOOD, NOTHING, SOMETHING, make_form, make_likeness, make_silence


def _rebuilt(lost_rebuilding, lost_drawing):
    ratio = Estimate(8.4, 4.0, 12.0)
    return make_likeness(rebuilt=RebuiltScores(SOMETHING, ratio, 0.5, 0.5, lost_rebuilding, lost_drawing))


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
    texts = [finding.text for finding in judge(replace(GOOD, form=make_form(Estimate(1.6, 0.9, 2.4)))).findings]
    assert any("most apart: silent frames, 0.45 where unheard sound has 0.00" in text for text in texts)


def test_what_was_left_out_as_too_quiet_is_told():
    texts = " ".join(finding.text for finding in judge(replace(GOOD, silence=make_silence(left_out=0.28))).findings)
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
