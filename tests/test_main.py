"""The command `sda`: its verbs, and what it does with a name that is none of them."""

import subprocess
import sys
from importlib import import_module

import pytest

from sda import __main__ as command
from sda.app import command_line
from sda.config.help import SCHEMAS


@pytest.mark.parametrize("arguments", [[], ["--help"]])
def test_alone_it_lists_the_verbs(monkeypatch, capsys, arguments):
    monkeypatch.setattr(sys, "argv", ["sda", *arguments])
    command.main()
    text = capsys.readouterr().out
    assert all(f"  {name} " in text and verb.words in text for name, verb in command.VERBS.items())


def test_every_verb_is_there_with_its_entry_point():
    assert set(command.VERBS) == {*SCHEMAS, "ui", "sync"}
    for verb in command.VERBS.values():
        module, _, function = verb.entry.partition(":")
        assert callable(getattr(import_module(module), function))


def test_a_verb_finds_what_it_is_given(monkeypatch):
    seen = []
    monkeypatch.setattr(command_line, "generate", lambda: seen.append(sys.argv))
    monkeypatch.setattr(sys, "argv", ["/bin/sda", "generate", "run=last", "--help"])
    command.main()
    assert seen == [["sda generate", "run=last", "--help"]]


def test_an_unknown_verb_is_answered_before_anything_is_imported(tmp_path):
    watched = (sys.executable, "-X", "importtime", "-m", "sda", "exprt\x1b", "run=last")
    done = subprocess.run(watched, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "error: sda has no verb exprt\\x1b. Did you mean export? sda --help lists them all." in done.stderr
    assert not any(name in done.stderr for name in ("hydra", "omegaconf", "rich", "numpy", "torch", "sda.app"))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["ui", "70000"], "sda ui: error: port 70000 is none: 1 to 65535"),
        (["ui", "--port=1"], "sda ui: error: unrecognized arguments"),
        (["sync", "--all"], "sda sync: error: unrecognized arguments"),
    ],
)
def test_the_verbs_without_keys_name_themselves(monkeypatch, capsys, arguments, words):
    monkeypatch.setattr(sys, "argv", ["sda", *arguments])
    with pytest.raises(SystemExit, match="2"):
        command.main()
    assert words in capsys.readouterr().err


def test_a_run_that_is_not_there_is_named(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["sda", "sync", "nope"])
    with pytest.raises(SystemExit, match="error: nope is no run"):
        command.main()


def test_bash_is_told_the_keys_that_fit(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["sda-train", "-sc", "query=bash"])
    monkeypatch.setenv("COMP_LINE", "sda-train preset=b")
    command_line.train()
    assert capsys.readouterr().out.split() == ["preset=balanced"]
