"""Trained runs opened for use after their sounds have moved."""

import json
import shutil
from pathlib import Path

import pytest

from tests.verbs import TINY

pytestmark = pytest.mark.slow


@pytest.fixture
def moved(command_line, make_sounds):
    """A run, and the folder that its sounds have moved to."""
    root = make_sounds(6)
    settings = ("training.max_epochs=1", "tracking=none", *TINY)
    shutil.move(root, command_line.folder / "here")
    command_line.run("train", "data.root=here", *settings)
    there = command_line.folder.parent / "there"
    shutil.move(command_line.folder / "here", there)
    (there / "tone_003.wav").rename(there / "renamed.wav")
    return command_line.runs()[0], there


def test_every_verb_takes_moved_sounds_by_their_content(command_line, moved):
    run_dir, there = moved
    few = ("max_clips=2", "n_generated=2", "generated_s=1")
    for verb, *arguments in (
        ("evaluate", "run=last", *few),
        ("generate", "run=last", "mode=reconstruct", "duration_s=0.5"),
        ("train", "resume=last", "training.max_epochs=2"),
    ):
        text = command_line.run(verb, *arguments, code=1)
        assert text.startswith("error: ")
        assert "data.root=FOLDER" in text
    for verb, *arguments in (
        ("evaluate", "run=last", "data.root=../there", "output=judged", *few),
        ("generate", "run=last", "mode=reconstruct", "duration_s=0.5", "data.root=../there", "output=made"),
    ):
        command_line.run(verb, *arguments)
    judged = json.loads((command_line.folder / "judged" / "evaluation.json").read_text())
    assert judged["run"] == str(run_dir)
    made = json.loads((command_line.folder / "made" / "generated.json").read_text())
    assert made["data.root"] == str(command_line.folder / "../there")
    assert {Path(source).resolve().parent for file in made["files"] for source in file["sources"]} == {there}
    text = command_line.run("evaluate", "run=last", "data.root=../there", f"output={there / 'new'}", code=1)
    assert "which is never written to" in text


def test_a_folder_that_was_typed_from_here_is_kept_as_it_is_from_everywhere(command_line, moved):
    run_dir, _ = moved
    kept = (run_dir / ".hydra" / "overrides.yaml").read_text()
    assert f"data.root='{command_line.folder / 'here'}'" in kept
