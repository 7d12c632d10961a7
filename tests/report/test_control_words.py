import math
from dataclasses import replace

import pytest

from sda.bootstrap import Estimate
from sda.evaluation.control_likeness import LikenessAlong
from sda.evaluation.controls import ControlProof, CorpusRange, ProvenControls
from sda.generation.controls import Controls
from sda.generation.loudness import LoudnessScale
from sda.report.control_words import list_control_rows, tell_moving_along

SURE = Estimate(1.0, 0.98, 1.0)


@pytest.fixture
def proven():
    rough = ControlProof("roughness", 0.1, CorpusRange(0.1, 0.5), Estimate(math.nan), Estimate(math.nan), {}, 0)
    bright = ControlProof("brightness", 0.5, CorpusRange(9.0, 13.0), SURE, SURE, {"pitch": 0.7, "level": 0.1}, 5)
    noisy = replace(bright, key="noisiness", correlation=Estimate(0.5, -0.2, 0.9), corpus=CorpusRange(0.0, 1.0))
    return ProvenControls(Controls(LoudnessScale(0, 0.0, 0.1), {}), [rough, noisy, bright])


def test_those_with_a_name_come_first_and_the_others_have_a_number(proven):
    assert [(row.name, row.key) for row in list_control_rows(proven)] == [
        ("brightness", "brightness"),
        ("axis 6 (roughness)", "axis_6"),
        ("axis 3 (noisiness)", "axis_3"),
    ]


def test_figures_are_told_with_their_units(proven):
    row = list_control_rows(proven)[0]
    assert (row.range, row.corpus) == ("±0.50 oct", "512 Hz to 8.2 kHz")
    assert row.correlation == "1.00 (0.98 to 1.00), 5 files"
    assert row.moves == "pitch 0.70"


def test_what_was_not_measured_has_no_figure(proven):
    row = list_control_rows(proven)[1]
    assert (row.correlation, row.achieved, row.moves) == ("not measured", "–", "–")


def test_likeness_is_told_where_it_was_measured(proven):
    measured = replace(proven.proofs[2], likeness=LikenessAlong(0.3, 0.05, 1.2))
    row = list_control_rows(replace(proven, proofs=[measured]))[0]
    assert row.likeness == "0.30, 0.05, 1.20"
    assert list_control_rows(proven)[0].likeness == "not measured"


def test_only_what_moves_noticeably_is_told(proven):
    assert tell_moving_along(proven.proofs[2]) == "pitch 0.70"
    assert tell_moving_along(replace(proven.proofs[2], leakage={"pitch": 0.2})) == ""
