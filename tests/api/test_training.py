"""Training from Python is `train.py`, but for how it is called."""

import signal
import threading
from pathlib import Path

import numpy as np
import pytest
import yaml
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig

import sda
from sda.api.training import Run
from sda.errors import ConfigError, DataError
from tests.verbs import TINY

HERE = Path(__file__).parent
KEYS = {
    **{key: yaml.safe_load(value) for key, value in (setting.split("=") for setting in TINY)},
    "training.max_epochs": 1,
    "tracking": "none",
    "preview.n_variations": 0,
}


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    folder = tmp_path / "notebook"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def _read_config(run_dir):
    config = yaml.safe_load((run_dir / ".hydra" / "config.yaml").read_text())
    for section, key in (("data", "cache_dir"), ("tracking", "uri")):
        config[section].pop(key)
    return config


@pytest.mark.slow
def test_a_run_is_that_of_the_command_line(trained_once, elsewhere, capsys):
    """In a thread of its own, where Python hears no signals, as a page or a notebook's tool may call it."""
    (summary,) = trained_once.glob("runs/*/*/summary.json")
    trained, before = [], (signal.getsignal(signal.SIGINT), GlobalHydra.instance().hydra, HydraConfig.instance().cfg)
    sounds = trained_once.parent / "sounds"
    thread = threading.Thread(target=lambda: trained.append(sda.train(sounds, keys=KEYS, quiet=True)))
    thread.start()
    thread.join()
    (run,) = trained
    assert capsys.readouterr().out == ""
    assert before == (signal.getsignal(signal.SIGINT), GlobalHydra.instance().hydra, HydraConfig.instance().cfg)
    assert run.folder.is_relative_to(elsewhere / "runs")
    assert _read_config(run.folder) == _read_config(summary.parent)
    assert (run.status, run.summary["epochs"]) == ("finished", 1)
    there = sda.load(summary.parent)
    np.testing.assert_array_equal(run.model.sample(seconds=0.3, seed=2), there.sample(seconds=0.3, seed=2))
    assert run.model is run.model
    with pytest.raises(ConfigError, match=r"training\.max_epochs=0 is out of range"):
        sda.train(keys={"resume": run.folder, "training.max_epochs": 0})
    again = sda.train(keys={"resume": run.folder, "training.max_epochs": 2}, quiet=True)
    assert (again.folder, again.summary["epochs"]) == (run.folder, 2)


@pytest.mark.parametrize(
    ("settings", "error", "words"),
    [
        ({}, ConfigError, "data.root is not set"),
        ({"sounds": "nowhere"}, DataError, "nowhere: there is no such folder"),
        ({"sounds": "", "minutes": -1}, ConfigError, "training.minutes=-1"),
        ({"sounds": {"a", "b"}}, ConfigError, "give a folder, or a list of folders"),
        ({"sounds": []}, DataError, "data.root= is empty"),
        ({"sounds": [HERE, ""]}, DataError, "folder 2 of 2 has no name"),
        ({"sounds": [HERE, "nowhere"]}, DataError, "nowhere: there is no such folder"),
        ({"keys": {"hydra.mode": "MULTIRUN"}}, ConfigError, "sweeps are the command line's: python train.py -m"),
        ({"keys": {"preset": "nope"}}, ConfigError, "preset=nope is unknown: there are"),
        ({"keys": {"dropout": 0.3}}, ConfigError, "train.py has no key dropout. Did you mean regularization.dropout"),
        ({"keys": {"training.max_epochs": "many"}}, ConfigError, "'many' of type 'str' could not be converted to Int"),
        ({"sounds": "a", "keys": {"data.root": "b"}}, ConfigError, "data.root=b is given twice"),
    ],
)
def test_errors_are_those_of_the_command_line(elsewhere, make_sounds, settings, error, words):
    with pytest.raises(error, match=words):
        sda.train(**{**settings, **({"sounds": make_sounds(2)} if settings.get("sounds") == "" else {})})
    assert not list(elsewhere.iterdir()), "nothing is left of a run that did not begin"


def test_a_run_shows_what_it_is(tmp_path):
    assert repr(Run(tmp_path)) == f"Run({tmp_path})"
