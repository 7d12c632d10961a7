"""A model's card: what was measured and what was not, the same in Markdown and on the page, and text as text."""

import json
import re

import pytest

from sda.audio.mel import LogMel
from sda.config.export import ExportFormat
from sda.errors import DamagedError
from sda.export.description import Description
from sda.export.formats import FORMATS
from sda.generation.mel_synthesizer import MelSynthesizer
from sda.models.mel_vae import MelVAE
from sda.report.model_card import read_verdict, write_card

EVALUATION = {
    "epoch": 3,
    "verdict": {"label": "learned", "headline": "New \x1b[2Jsound."},
    "memorisation": {"replay_rate": 0.1, "replay_rate_interval": [0.05, 0.17], "nearest": [{"name": "ada.wav"}]},
    "provenance": {"n_recordings": 4},
    "reconstruction": {"held_out": {"model": {"log_mel_l1_db": 5.0, "log_mel_l1_db_interval": [4.0, 6.0]}}},
}


@pytest.fixture
def evaluation(tmp_path):
    path = tmp_path / "evaluation.json"
    path.write_text(json.dumps(EVALUATION))
    return path


@pytest.fixture
def card(tmp_path):
    features = LogMel(16000, n_fft=512, hop_length=128, n_mels=32)
    synthesizer = MelSynthesizer(MelVAE(32, features.n_frames(4000), 8), features)

    def write(form=ExportFormat.sda, **facts):
        described = Description(**{"name": "rain", "epoch": 3, "config": {}, "license": ""} | facts)
        paths = write_card(tmp_path, described, synthesizer, FORMATS[form], "rain.sda")
        return [path.read_text() for path in paths]

    return write


def test_what_was_measured_of_this_state_is_told_with_its_intervals(evaluation, card):
    found = read_verdict(evaluation, 3)
    assert found.label == "learned"
    assert found.verdict == "New \\x1b[2Jsound."
    assert "provenance.n_recordings" not in found.figures
    for text in card(label=found.label, verdict=found.verdict, figures=found.figures):
        assert "10 % (5 to 17) of generated seconds" in text
        assert "log-mel L1, dB: 5.00 (4.00 to 6.00)" in text
        assert "not evaluated" not in text


@pytest.mark.parametrize("form", ExportFormat)
def test_every_format_says_what_it_is_and_how_it_is_used(card, form):
    markdown, _ = card(form)
    assert FORMATS[form].words in markdown
    (commands,) = re.findall(r"```\n(.*?)\n```", markdown, re.DOTALL)
    assert len(commands.splitlines()) == len(FORMATS[form].usage)
    assert not any(sign in commands for sign in ("{file}", "{{", "}}"))


def test_of_another_state_nothing_is_told(evaluation, card):
    found = read_verdict(evaluation, 4)
    assert (found.label, found.figures) == ("", {})
    for text in card():
        assert "It was not evaluated" in text
        assert "Nothing was said of what others may do with it" in text


def test_an_evaluation_that_is_none_is_named(tmp_path):
    (tmp_path / "evaluation.json").write_text("[]")
    with pytest.raises(DamagedError, match="is damaged"):
        read_verdict(tmp_path / "evaluation.json", 3)


def test_that_it_began_with_another_model_is_told(card):
    earlier = "began with the weights of an earlier model"
    assert not any(earlier in text for text in card())
    assert all(earlier in text for text in card(config={"init_from": "an earlier model"}))


def test_what_holds_sound_says_so(card):
    assert not any("can be heard again" in text for text in card())
    assert all("can be heard again" in text for text in card(holds_sound=True))


def test_text_is_not_taken_for_marks(card):
    markdown, page = card(license="<script>alert(1)</script> [x](http://y) | `z`")
    assert "<script>" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt; [x](http://y) | `z`" in page
    assert "\\<script\\>alert(1)\\</script\\> \\[x\\](http://y) \\| \\`z\\`" in markdown


def test_recordings_are_named_where_the_export_names_them(card):
    files = {"rain/a_1.wav": "0" * 64}
    assert all("rain/a" in text for text in card(files=files, has_names=True))
    assert not any("rain/a" in text for text in card(files=files))
