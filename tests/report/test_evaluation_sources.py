"""What new sound is made of: figures, strips, and the file that says it of every sound."""

import json
from dataclasses import replace

import pytest
import torch

from sda.evaluation.assessment import assess_folders
from sda.evaluation.sounds import Sound
from sda.evaluation.suite import EvaluationAudio
from sda.report.evaluation import RunSubject
from sda.report.evaluation_lines import format_assessment
from sda.report.evaluation_report import write_assessment
from sda.report.evaluation_sources import NEUTRAL, PALETTE, draw_sources
from sda.report.evaluation_values import MADE_OF, PAGE, VALUES, describe_evaluation, flatten_figures, list_values
from tests.conftest import tone

RATE_HZ = 16000
SUBJECT = RunSubject(suite="full", run="/runs/1", epoch=4, checkpoint="best", validation_weakness="")


def _stretch(start_s, end_s, *sources):
    named = [{"recording": path, "share": share} for path, share in sources]
    return {"start_s": start_s, "end_s": end_s, "sources": named}


MADE_OF_TWO = {
    "shares": {"/s/rain_3.ogg": 0.71, "/s/rain_7.ogg": 0.28, "/s/rain_1.ogg": 0.01},
    "stretches": [
        _stretch(0.0, 0.5, ("/s/rain_3.ogg", 1.0)),
        _stretch(0.5, 1.0, ("/s/rain_3.ogg", 0.92), ("/s/rain_7.ogg", 0.08)),
        _stretch(1.0, 1.4, ("/s/rain_7.ogg", 0.85), ("/s/rain_3.ogg", 0.15)),
    ],
}
MADE_OF_TWO["stretches"][1]["sources"][0]["at_s"] = 3.2
MADE_OF_ONE = {"shares": {"/s/rain_7.ogg": 1.0}, "stretches": [_stretch(0.0, 0.5, ("/s/rain_7.ogg", 1.0))]}


def test_every_half_second_has_the_colour_and_the_share_of_its_largest_recording():
    two, one = draw_sources([MADE_OF_TWO, MADE_OF_ONE], [1.4, 0.5])
    blue, orange = PALETTE[:2]  # of 1.0 and 0.9 s
    assert [(part.x, part.width, part.height, part.colour) for part in two.segments] == [
        (0.0, 35.71, 100.0, blue), (35.71, 35.71, 92.0, blue), (71.43, 28.57, 85.0, orange),
    ]  # fmt: skip
    assert [part.title for part in two.segments] == [
        "0.0–0.5 s: rain_3.ogg 100 %",
        "0.5–1.0 s: rain_3.ogg 92 % (from 3.2 s), rain_7.ogg 8 %",
        "1.0–1.4 s: rain_7.ogg 85 %, rain_3.ogg 15 %",
    ]
    assert two.words == "0.0–1.0 s rain_3.ogg, 1.0–1.4 s rain_7.ogg"
    assert two.sources == [
        ("rain_3.ogg", "71 %", blue), ("rain_7.ogg", "28 %", orange), ("rain_1.ogg", "1 %", NEUTRAL),
    ]  # fmt: skip
    assert (two.n_recordings, one.n_recordings) == (2, 1)
    assert [part.colour for part in one.segments] == [orange], "one colour in all sounds"


def test_of_a_long_sound_the_beginning_is_drawn():
    (strip,) = draw_sources([MADE_OF_TWO], [0.7])
    assert [(part.x, part.width) for part in strip.segments] == [(0.0, 71.43), (71.43, 28.57)]
    assert strip.segments[-1].title.startswith("0.5–0.7 s: ")
    assert (strip.words, strip.length) == ("0.0–0.7 s rain_3.ogg", "0.7 s")


def test_what_is_heard_least_has_no_colour_of_its_own():
    n = len(PALETTE) + 1
    stretches = [_stretch(0.5 * number, 0.5 * number + 0.5, (f"{number}.wav", 1.0)) for number in range(n)]
    stretches[0]["start_s"] = 0.1
    (strip,) = draw_sources([{"shares": {f"{number}.wav": 1 / n for number in range(n)}, "stretches": stretches}], [9])
    assert [part.colour for part in strip.segments] == [NEUTRAL, *PALETTE]


@pytest.fixture(scope="module")
def assessment():
    sounds = [Sound(f"{hz}.wav", torch.from_numpy(tone(hz, 2.0, RATE_HZ)).float()) for hz in (220, 330, 440, 550)]
    audio = EvaluationAudio(
        RATE_HZ, train=sounds[:2], held_out=sounds[2:3], generated=sounds[2:], train_groups=["a", "b"]
    )
    return assess_folders(audio, audio, seed=0)


def test_page_values_and_a_file_of_its_own_say_what_sounds_are_made_of(assessment, tmp_path):
    known = replace(assessment, made_of=[{}, MADE_OF_TWO], n_silent_draws=3)
    report = write_assessment("run", tmp_path, known, SUBJECT)
    assert [(row.title, row.length_s) for row in report.made] == [("550.wav", 2.0)], "of the other, nothing is known"
    assert json.loads((tmp_path / MADE_OF).read_text()) == [{"sound": "550.wav", **MADE_OF_TWO}]
    values = json.loads((tmp_path / VALUES).read_text())
    assert values["provenance"] == {"recordings_per_sound": 2.0, "largest_share": 0.71, "recordings_used": 2}
    event = describe_evaluation(values, tmp_path, tmp_path.parent)
    assert event.provenance_path == str(tmp_path / MADE_OF)
    assert (
        event.figures["provenance.largest_share"] == dict(flatten_figures(values))["provenance.largest_share"] == 0.71
    )
    drawn_again = "3 draws in which nothing could be heard were made anew"
    assert f"  silence: {drawn_again}" in format_assessment(known)
    page = (tmp_path / PAGE).read_text()
    assert "What new sound is made of" in page
    assert drawn_again in page


def test_where_nothing_is_known_nothing_is_said(assessment, tmp_path):
    unknown = replace(assessment, made_of=[{}, {}])
    values = list_values(write_assessment("run", tmp_path, unknown, SUBJECT).evaluation)
    assert "provenance" not in values
    assert describe_evaluation(values, tmp_path, tmp_path.parent).provenance_path == ""
    assert {path.name for path in tmp_path.iterdir()} == {PAGE, VALUES}
    page = (tmp_path / PAGE).read_text()
    assert "What new sound is made of" not in page
    assert "made anew" not in page
