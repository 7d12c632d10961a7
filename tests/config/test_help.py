"""Help that is written without Hydra is the help that Hydra writes."""

import contextlib
import re
import subprocess
import sys

import pytest

from sda import __main__ as command
from sda.app import command_line
from sda.config.help import SCHEMAS


@pytest.mark.parametrize("verb", SCHEMAS)
def test_help_is_that_of_hydra(monkeypatch, capsys, verb):
    asked_of_hydra = ["--help", "hydra.verbose=false"]
    monkeypatch.setattr(sys, "argv", [f"{verb}.py", *asked_of_hydra])
    with contextlib.suppress(SystemExit):  # Hydra ends the process
        getattr(command_line, verb)()
    expected = capsys.readouterr().out
    monkeypatch.setattr(sys, "argv", [f"{verb}.py", "--help"])
    command.run_verb(verb)
    assert capsys.readouterr().out == expected
    assert "Flags: " in expected


def test_help_does_not_wait_for_what_the_verb_needs(tmp_path):
    watched = (sys.executable, "-X", "importtime", "-m", "sda", "train", "--help")
    done = subprocess.run(watched, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "regularization.dropout" in done.stdout
    assert re.search(r"\| +sda\.config\.help$", done.stderr, re.M)
    assert not re.search(r"\| +(hydra|rich|numpy|torch)$", done.stderr, re.M)


def test_whoever_has_seen_enough_ends_it_without_a_traceback(tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-m", "sda", "train", "--help"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    process.stdout.close()
    assert process.wait() == 141
    assert process.stderr.read() == ""
    process.stderr.close()
