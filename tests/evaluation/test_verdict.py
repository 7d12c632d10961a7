import math
from dataclasses import replace

import pytest

from sda.bootstrap import Estimate
from sda.evaluation.verdict import Evidence, judge

GOOD = Evidence(
    replay_rate=Estimate(0.01, 0.0, 0.05),
    collage_rate=Estimate(0.02, 0.0, 0.06),
    skill_train=Estimate(0.7, 0.6, 0.8),
    skill_held_out=Estimate(0.65, 0.55, 0.75),
    error_ratio=Estimate(1.05, 0.95, 1.15),
    likeness={"hand_made": Estimate(1.2, 0.4, 2.5)},
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
        ({"likeness": {"hand_made": Estimate(35.0, 18.0, 40.0)}}, "underfit"),
        ({"likeness": {"hand_made": Estimate(35.0, 18.0, 40.0), "aisfx": Estimate(2.0, 0.5, 3.0)}}, "learned"),
        ({"likeness": {"hand_made": Estimate(6.0, 2.0, 9.0)}}, "cannot tell"),
        ({"likeness": {}}, "cannot tell"),
        ({"n_held_out_files": 2}, "cannot tell"),
        ({"weakness": "one recording"}, "cannot tell"),
    ],
)
def test_the_label_follows_the_intervals(change, label):
    assert judge(replace(GOOD, **change)).label == label


def test_every_sentence_stands_on_a_number():
    verdict = judge(GOOD)
    assert [finding.key for finding in verdict.findings] == [
        "memorisation.replay_rate",
        "memorisation.collage_rate",
        "reconstruction.skill_train",
        "reconstruction.skill_held_out",
        "reconstruction.error_ratio",
        "distribution.hand_made.ratio",
    ]
    assert "1 % (0 to 5) of the generated seconds" in verdict.findings[0].text
    assert "1.05 (0.95 to 1.15) times" in verdict.findings[-2].text
    assert "1.20 (0.40 to 2.50) times as far" in verdict.findings[-1].text


@pytest.mark.parametrize(
    ("rate", "ratio", "label"),
    [
        (Estimate(0.0, 0.0, 0.02), Estimate(1.0, 0.2, 2.0), "new"),
        (Estimate(0.0, 0.0, 0.02), Estimate(46.0, 13.0, 50.0), "unlike"),
        (Estimate(0.9, 0.8, 1.0), Estimate(1.0, 0.2, 2.0), "replaying"),
        (Estimate(0.1, 0.0, 0.6), Estimate(1.0, 0.2, 2.0), "cannot tell"),
    ],
)
def test_of_two_folders_nothing_is_said_of_learning(rate, ratio, label):
    verdict = judge(Evidence(replay_rate=rate, likeness={"hand_made": ratio}, n_held_out_files=8))
    assert verdict.label == label
    assert "learn" not in verdict.headline
    assert "train" not in verdict.headline
