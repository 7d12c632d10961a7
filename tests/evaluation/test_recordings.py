from dataclasses import replace

import pytest

from sda.evaluation.recordings import Recordings, count_recordings, list_made
from tests.report.assessments import make_assessment

OF_TWO = {"shares": {"/s/rain_3.ogg": 0.71, "/s/rain_7.ogg": 0.28, "/s/rain_1.ogg": 0.01}}
OF_ONE = {"shares": {"/s/rain_7.ogg": 1.0}}


def test_figures_count_recordings_with_a_share_worth_naming():
    figures = count_recordings([OF_TWO, OF_ONE])
    assert figures == Recordings(recordings_per_sound=1.5, largest_share=pytest.approx(0.855), recordings_used=2)


def test_where_nothing_is_known_nothing_is_counted():
    assert count_recordings([]) is None
    assert list_made(make_assessment()) == []


def test_sounds_of_which_nothing_is_known_are_left_out():
    assessment = replace(make_assessment(), made_of=[{}, OF_TWO, {}, OF_ONE])
    assert [(sound.name, made_of) for sound, made_of in list_made(assessment)] == [
        ("generated 2", OF_TWO), ("generated 4", OF_ONE),
    ]  # fmt: skip
