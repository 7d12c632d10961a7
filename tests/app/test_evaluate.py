"""`evaluate.py` as a user runs it: folders without a model, several runs, wrong input."""

import json

import numpy as np
import pytest
import soundfile

from tests.conftest import RATE_HZ
from tests.verbs import TINY

pytestmark = pytest.mark.slow


def _evaluate(command_line, *arguments, output="out"):
    text = command_line.run("evaluate", f"output={output}", f"sample_rate_hz={RATE_HZ}", *arguments)
    return text, json.loads((command_line.folder / output / "evaluation.json").read_text())


def test_two_folders_need_no_model(command_line, make_textures):
    real, new = make_textures("real", 12), make_textures("new", 6, first_seed=12)
    text, values = _evaluate(command_line, f"reference={real}", f"generated={new}")
    assert values["suite"] == "folders"
    assert "reconstruction" not in values
    assert values["n_files"] == {"train": 12, "held_out": 0, "generated": 6}
    assert values["memorisation"]["replay_rate"] < 0.1
    assert values["memorisation"]["controls"]["copies"]["rate"] == 1.0
    assert "replays: 0.0" in text

    replayed = command_line.folder / "replayed"
    replayed.mkdir()
    for path in sorted(real.iterdir())[:6]:
        sound, _ = soundfile.read(path)
        soundfile.write(replayed / path.name, 0.5 * sound[800:], RATE_HZ)
    text, values = _evaluate(command_line, f"reference={real}", f"generated={replayed}", output="out-2")
    assert values["memorisation"]["replay_rate"] == 1.0
    assert values["verdict"]["label"] == "replaying"
    nearest = values["memorisation"]["nearest"]
    assert {row["generated"] for row in nearest} == {row["source"] for row in nearest}, "each is its own source"
    assert all(abs(row["source_start_s"] - row["start_s"] - 0.05) < 0.011 for row in nearest)
    page = (command_line.folder / "out-2" / "report.html").read_text()
    assert "ash.wav" in page
    assert "data:audio/mpeg" in page


def test_held_out_sound_of_the_users_own_is_the_null(command_line, make_textures):
    real, held_out, new = make_textures("real", 8), make_textures("held out", 6, 8), make_textures("new", 6, 14)
    _, values = _evaluate(command_line, f"reference={real}", f"held_out={held_out}", f"generated={new}")
    assert values["memorisation"]["n_null_files"] == 6 + 8, "and each real file against the others"
    assert values["distribution"]["hand_made"]["too_few"] == ""


def test_silence_cannot_be_judged_and_that_is_said(command_line, make_textures, tmp_path):
    silent = tmp_path / "silent"
    silent.mkdir()
    for number in range(3):
        hiss = 1e-5 * np.random.default_rng(number).standard_normal(RATE_HZ * 2)
        soundfile.write(silent / f"{number}.wav", hiss, RATE_HZ, subtype="FLOAT")
    _, values = _evaluate(command_line, f"reference={make_textures('real', 6)}", f"generated={silent}")
    assert "near-silent" in values["memorisation"]["doubt"]
    assert values["verdict"]["label"] == "unlike"
    assert values["verdict"]["case"] == "silent"
    assert values["silence"]["generated"]["near_silent_files"] == 1.0
    assert values["silence"]["generated"]["windows_left_out"] == 1.0
    assert values["distribution"]["hand_made"]["too_few"]
    assert "NaN" not in (command_line.folder / "out" / "evaluation.json").read_text()


def test_noise_is_new_to_the_search_and_still_not_called_new(command_line, make_textures, tmp_path):
    noise = tmp_path / "noise"
    noise.mkdir()
    for seed in range(100, 106):  # the textures' own noise is drawn from the seeds below
        sound = 0.1 * np.random.default_rng(seed).standard_normal(3 * RATE_HZ)
        soundfile.write(noise / f"{seed}.wav", sound, RATE_HZ)
    _, values = _evaluate(command_line, f"reference={make_textures('real', 16)}", f"generated={noise}")
    assert values["memorisation"]["replay_rate"] == 0.0
    assert values["verdict"]["label"] == "unlike"


def test_wrong_folders_are_named(command_line, make_textures, tmp_path):
    real = make_textures("real", 2)
    text = command_line.run("evaluate", f"reference={real}", "generated=/nowhere", code=1)
    assert "generated=/nowhere: there is no such folder" in text
    (tmp_path / "empty").mkdir()
    text = command_line.run("evaluate", f"reference={tmp_path / 'empty'}", f"generated={real}", code=1)
    assert "reference=" in text
    assert "no usable sound file" in text
    one = make_textures("one", 1, 20)
    text = command_line.run("evaluate", f"reference={one}", f"generated={real}", code=1)
    assert "give held_out=FOLDER" in text


def test_several_runs_are_put_side_by_side(command_line, sounds):
    for number in (1, 2):
        command_line.run(
            "train", sounds, "training.max_epochs=1", f"hydra.run.dir=runs/{number}", "tracking=none", *TINY
        )
    text = command_line.run("evaluate", "run=runs/1,runs/2", "max_clips=2", "n_generated=4", "output=both")
    assert "side by side" in text
    values = json.loads((command_line.folder / "both" / "evaluation.json").read_text())
    assert set(values["runs"]) == {"1", "2"}
    for number in ("1", "2"):
        own = command_line.folder / "runs" / number / "evaluation" / "evaluation.json"
        assert json.loads(own.read_text()) == values["runs"][number]
