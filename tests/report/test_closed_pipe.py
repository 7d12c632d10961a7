"""Output into a pipe that nobody reads any more, as `| head` leaves it."""

import json
import os
import subprocess
import sys

import pytest

from tests.verbs import PROJECT, TINY


def _run_unread(command_line, verb: str, *arguments: str) -> tuple[int, str]:
    """The exit code and what was printed beside the output, which goes into a pipe without a reader."""
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, str(PROJECT / f"{verb}.py"), *arguments]
    try:
        done = subprocess.run(
            command, cwd=command_line.folder, stdout=writing, stderr=subprocess.PIPE, text=True, check=False
        )
    finally:
        os.close(writing)
    return done.returncode, done.stderr


@pytest.mark.parametrize("arguments", [["scan", "--help"], ["train", "--cfg", "job"]])
def test_a_verb_that_nobody_reads_ends_quietly_as_other_tools_do(command_line, arguments):
    assert _run_unread(command_line, *arguments) == (141, "")


def test_a_table_that_nobody_reads_ends_quietly(command_line, sounds):
    assert _run_unread(command_line, "scan", sounds, "estimate=false") == (141, "")


@pytest.mark.slow
def test_a_training_that_nobody_reads_saves_and_stops(command_line, sounds):
    code, told = _run_unread(command_line, "train", sounds, "training.max_epochs=500", "tracking=none", *TINY)
    assert (code, told) == (143, "")
    (run_dir,) = command_line.runs()
    assert json.loads((run_dir / "summary.json").read_text())["status"] == "stopped"
    assert any((run_dir / "checkpoints").iterdir())
