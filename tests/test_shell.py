"""Commands that a person can type where they stand."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from sda import shell
from sda.config.help import SCHEMAS
from sda.shell import CALLED_AS, name_command, name_installation, name_verb, tell_started_processes

PROJECT = Path(__file__).parents[1]


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    """Where there is no Makefile, in a process that nothing is known of."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["-c"])
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")
    monkeypatch.delenv(CALLED_AS, raising=False)


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package elsewhere, with nothing beside it."""
    folder = tmp_path / "somewhere" / "sda"
    folder.mkdir(parents=True)
    monkeypatch.setattr(shell, "_PACKAGE", folder)
    return folder


@pytest.mark.parametrize("verb", SCHEMAS)
def test_in_a_checkout_a_verb_with_keys_is_its_script(verb):
    assert name_command(verb) == f"python {verb}.py"
    assert name_verb(verb) == f"{verb}.py"
    assert (PROJECT / f"{verb}.py").is_file()


@pytest.mark.parametrize(
    "first", ["sda train", "/env/bin/sda", "/env/bin/sda-train", "sda.exe", "/env/bin/sda-generate.exe", "sda ui"]
)
def test_whoever_called_the_command_is_told_the_command(monkeypatch, first):
    monkeypatch.setattr(sys, "argv", [first, "run=last"])
    assert name_command("generate") == name_verb("generate") == "sda generate"


@pytest.mark.parametrize("argv", [["train.py"], ["/somewhere/my-sda"], ["sda.py"], ["/sda/tool"], [""], []])
def test_anybody_else_is_told_what_there_is(monkeypatch, package, argv):
    monkeypatch.setattr(sys, "argv", argv)
    assert name_command("train") == "sda train"
    (package.parent / "train.py").touch()
    assert name_command("train") == "python train.py"
    assert name_command("scan") == "sda scan"
    (package / "conf").mkdir()  # an installed package, beside which another one put a script of this name
    assert name_command("train") == "sda train"


def test_packages_are_installed_as_an_extra_only_where_the_project_is(package):
    assert name_installation("export", "onnx") == "make setup, or uv pip install -e '.[export]'"
    (package / "conf").mkdir()
    assert name_installation("export", "onnx") == "pip install onnx"


def test_processes_that_the_command_starts_name_verbs_as_it_does(monkeypatch):
    code = "import sys; from sda.shell import *; sys.argv = ['-m']; print(name_command('train'))"

    def ask():
        environment = {**os.environ, "PYTHONPATH": str(PROJECT)}
        return subprocess.check_output([sys.executable, "-c", code], env=environment, text=True).strip()

    monkeypatch.setenv(CALLED_AS, "")  # what is set below does not outlive the test
    tell_started_processes()
    assert ask() == "python train.py"
    monkeypatch.setattr(sys, "argv", ["sda train", "-m"])
    tell_started_processes()
    assert ask() == "sda train"


def test_the_command_is_makes_only_where_its_makefile_and_make_are(tmp_path, monkeypatch):
    assert name_command("ui") == "sda ui"
    (tmp_path / "Makefile").write_text("ui:\n\techo somebody else's\n")
    assert name_command("ui") == "sda ui"
    (tmp_path / "Makefile").write_text("ui: setup\n\t.venv/bin/python -m sda ui $(PORT)\n")
    assert name_command("ui") == "make ui"
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert name_command("ui") == "sda ui"
