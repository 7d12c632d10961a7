"""Sounds in several folders, from the scan to a run whose folders have moved."""

import json
import shutil
from pathlib import Path

import pytest
import soundfile
import yaml

import sda
from sda.errors import DataError
from tests.conftest import RATE_HZ, tone
from tests.verbs import TINY

NAMES = ("00.wav", "in/00.wav", "01.wav")


@pytest.fixture
def folders(command_line) -> tuple[Path, Path]:
    """Two folders beside the project whose files have the same names and hold different sound."""
    folders = command_line.folder.parent / "piano, old", command_line.folder.parent / "rain"
    for number, folder in enumerate(folders):
        (folder / "in").mkdir(parents=True)
        for index, name in enumerate(NAMES):
            frequency_hz, duration_s = 200 + 150 * index + 70 * number, 1.2 + 0.05 * index
            soundfile.write(folder / name, tone(frequency_hz, duration_s), RATE_HZ)
    return folders


def _read_root(run_dir: Path) -> str:
    return yaml.safe_load((run_dir / ".hydra" / "config.yaml").read_text())["data"]["root"]


def test_scan_shows_both_and_train_would_take_both(command_line, folders):
    text = command_line.run("scan", 'data.root=[../rain,"../piano, old"]', "estimate=false", *TINY)
    piano, rain = folders
    assert f"6 usable files, 8 s, in {piano} and {rain} (" in text
    assert "take the preset conservative, chosen for 6 usable files" in text
    assert "piano, old/00.wav" in text
    assert "rain/00.wav" in text
    assert "groups" not in text
    (page,) = command_line.folder.glob("scans/*.html")
    assert page.name.startswith("piano, old+rain-")
    assert f"{piano} and {rain}" in page.read_text()


@pytest.mark.slow
@pytest.mark.usefixtures("store")
def test_a_run_on_several_folders_is_used_and_goes_on_as_any_other(command_line, folders, monkeypatch):
    piano, rain = folders
    kept = f'["{piano}","{rain}"]'
    text = command_line.run("train", 'data.root=[../rain,"../piano, old"]', "training.max_epochs=1", *TINY)
    (run_dir,) = command_line.runs()
    assert f"6 usable files, 8 s, in {piano} and {rain}\n" in text
    assert _read_root(run_dir) == kept
    manifest = json.loads((run_dir / "manifest.json").read_text())
    assert {file["path"] for file in manifest["files"]} == {f"{one}/{name}" for one in folders for name in NAMES}
    assert manifest["n_groups"] == 6
    assert command_line.query("SELECT name, dataset_source FROM datasets") == [
        (
            "piano, old+rain",
            f'{{"uri": "{rain.parent.as_uri()}", "folders": ["{piano.as_uri()}", "{rain.as_uri()}"]}}',
        )
    ]
    ((name,),) = command_line.query("SELECT name FROM runs")
    assert name.startswith("piano, old+rain · ")

    command_line.run("generate", "run=last", "mode=reconstruct", "duration_s=0.5", "output=../made")
    made = json.loads((rain.parent / "made" / "generated.json").read_text())
    held_out = {file["path"] for file in manifest["files"] if file["split"] == "val"}
    assert {source for file in made["files"] for source in file["sources"]} == held_out
    for place in ("../rain/new", "../piano, old/new"):
        told = command_line.run("generate", "run=last", "n=1", f"output={place}", code=1)
        assert "which is never written to" in told
    monkeypatch.chdir(command_line.folder)
    keys = {"training.max_epochs": 1, "tracking": "none", **dict(setting.split("=") for setting in TINY)}
    again = sda.train([piano, "../rain"], keys={key: _read(value) for key, value in keys.items()}, quiet=True)
    assert _read_root(again.folder) == kept
    assert json.loads((again.folder / "manifest.json").read_text())["fingerprint"] == manifest["fingerprint"]

    _the_folders_may_move(command_line, run_dir, folders)


def _read(value):
    return yaml.safe_load(value) if isinstance(value, str) else value


def _the_folders_may_move(command_line, run_dir, folders):
    piano, rain = folders
    there = [shutil.move(folder, folder.parent / name) for folder, name in ((piano, "there"), (rain, "wet"))]
    (there[1] / "00.wav").rename(there[1] / "renamed.wav")
    text = command_line.run("train", f"resume={run_dir}", "training.max_epochs=2", code=1)
    assert f"not where they were, in {piano} and {rain}. If they have moved, say where all of them lie now" in text
    text = command_line.run("train", f"resume={run_dir}", "training.max_epochs=2", "data.root=[../wet]", code=1)
    assert "missing or changed" in text
    moved = "data.root=[../wet,../there]"
    few = ("max_clips=2", "n_generated=2", "generated_s=1", "output=judged")
    assert "verdict" in command_line.run("evaluate", f"run={run_dir}", moved, *few)
    n_files = json.loads((command_line.folder / "judged" / "evaluation.json").read_text())["n_files"]
    assert n_files["train"] + n_files["held_out"] == 6, "those of one name are recordings of their own"
    with pytest.raises(DataError, match=r"lacks .* of the 6 files"):
        sda.load(run_dir, root=there[0])
    for root in (["../there", "../wet"], "[../wet,../there]"):
        assert sda.load(run_dir, root=root).epoch == 1
    command_line.run("train", f"resume={run_dir}", "training.max_epochs=2", moved)
    assert _read_root(run_dir) == f'["{there[0]}","{there[1]}"]'
    assert json.loads((run_dir / "summary.json").read_text())["epochs"] == 2
