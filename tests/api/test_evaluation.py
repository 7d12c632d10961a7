"""Evaluating from Python is `evaluate.py`, whose figures are given back."""

import json

import pytest

import sda
from sda.errors import CheckpointError, ConfigError


@pytest.mark.slow
def test_the_figures_are_those_that_are_written(trained, monkeypatch, capsys):
    monkeypatch.chdir(trained.folder)
    found = sda.evaluate(sda.load(), quiet=True, n_generated=4, generated_s=1, max_clips=2)
    assert capsys.readouterr().out == ""
    assert found.folder == trained.runs()[0] / "evaluation"
    assert found.page.is_file()
    assert found.values == json.loads((found.folder / "evaluation.json").read_text())
    assert found["memorisation.replay_rate"] == found.values["memorisation"]["replay_rate"]
    assert found["verdict"]["headline"] == found.verdict
    assert found.verdict in repr(found)
    with pytest.raises(KeyError, match="nothing"):
        found["memorisation.nothing"]


@pytest.mark.parametrize(
    ("given", "error", "words"),
    [
        ({}, ConfigError, "give either a run, or two folders"),
        ({"run": "last", "reference": "a"}, ConfigError, "give either a run, or two folders"),
        ({"reference": "a"}, ConfigError, "give either a run, or two folders"),
        ({"run": "last"}, CheckpointError, "no run lies below"),
        ({"run": "last", "max_clips": 0}, ConfigError, "max_clips=0 is out of range"),
        ({"run": "last", "novelty": 0}, ConfigError, "evaluate.py has no key novelty; generate.py"),
        ({"run": "last", "data": "a"}, ConfigError, "data is no setting here: give root"),
    ],
)
def test_errors_are_those_of_the_command_line(tmp_path, monkeypatch, given, error, words):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error, match=words):
        sda.evaluate(**given)
