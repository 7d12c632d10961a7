import hashlib
import json
import math
import shutil
from pathlib import Path

import pytest
import torch

from sda.errors import CheckpointError
from sda.training.checkpoint import (
    MANIFEST,
    SCHEMA_VERSION,
    STATE,
    TENSORS,
    open_best,
    open_checkpoint,
    open_newest,
)
from sda.training.checkpoint_writer import CheckpointWriter, draft_checkpoint
from sda.training.state import Progress
from tests.training.saving import save_epoch


def _reseal(folder: Path, **changes) -> None:
    """Change what `state.json` says and make the manifest fit, as whoever crafts a checkpoint would."""
    content = json.loads((folder / STATE).read_text()) | changes
    (folder / STATE).write_text(json.dumps(content))
    reseal_manifest(folder)


def reseal_manifest(folder: Path) -> None:
    hashes = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in (TENSORS, STATE)}
    (folder / MANIFEST).write_text(json.dumps(hashes))


def test_everything_comes_back(run, tmp_path):
    checkpoint = open_checkpoint(save_epoch(run, tmp_path, 1))
    loaded = checkpoint.load_tensors()
    assert loaded.keys() == run.state.tensors().keys()
    assert all(torch.equal(tensor, loaded[name]) for name, tensor in run.state.tensors().items())
    assert checkpoint.progress["epoch"] == 1
    assert checkpoint.history == run.state.history
    assert (checkpoint.config, checkpoint.facts) == ({"seed": 7}, {"files": {}})


@pytest.mark.parametrize("name", [TENSORS, STATE])
@pytest.mark.parametrize("damage", ["flip", "truncate", "remove"])
def test_a_damaged_checkpoint_is_named_and_the_one_before_it_used(run, tmp_path, name, damage):
    save_epoch(run, tmp_path, 1)
    newest = save_epoch(run, tmp_path, 2) / name
    content = bytearray(newest.read_bytes())
    if damage == "flip":
        content[len(content) // 2] ^= 1
        newest.write_bytes(content)
    elif damage == "truncate":
        newest.write_bytes(content[:-1])
    else:
        newest.unlink()
    checkpoint, damaged = open_newest(tmp_path)
    assert checkpoint.progress["epoch"] == 1
    (message,) = damaged
    assert "epoch_0002" in message


def test_the_best_is_the_last_resort(run, tmp_path):
    (save_epoch(run, tmp_path, 2) / STATE).write_text("{}")
    writer = CheckpointWriter(tmp_path, 3)
    writer.write(draft_checkpoint(run.state, {}, {}, best=True))
    checkpoint, damaged = open_newest(tmp_path)
    assert checkpoint.folder.name == "best"
    assert len(damaged) == 1
    shutil.rmtree(tmp_path / "epoch_0002")
    assert open_newest(tmp_path)[0].folder.name == "best"


def test_with_none_left_it_refuses(run, tmp_path):
    with pytest.raises(CheckpointError, match=r"no checkpoint.*To begin it again: .*resume="):
        open_newest(tmp_path)
    (save_epoch(run, tmp_path, 1) / STATE).write_text("{}")
    with pytest.raises(CheckpointError, match=r"no usable checkpoint.*damaged"):
        open_newest(tmp_path)


def test_a_best_one_caught_between_two_renames_is_found(run, tmp_path):
    best = save_epoch(run, tmp_path, 5, best=True)
    shutil.move(best, tmp_path / ".best.retired")
    assert open_best(tmp_path).progress["epoch"] == 5


def test_another_version_is_refused(run, tmp_path):
    folder = save_epoch(run, tmp_path, 1)
    _reseal(folder, schema_version=99)
    with pytest.raises(CheckpointError, match="schema version 99; this sda reads versions up to"):
        open_checkpoint(folder)


def test_a_checkpoint_of_the_first_version_is_read(run, tmp_path):
    folder = save_epoch(run, tmp_path, 1)
    progress = json.loads((folder / STATE).read_text())["progress"]
    for name in ("n_rollbacks", "learning_rate_scale", "n_parts"):
        del progress[name]
    _reseal(folder, schema_version=1, progress=progress)
    read = open_checkpoint(folder).progress
    assert (read["n_rollbacks"], read["learning_rate_scale"], read["n_parts"]) == (0, 1.0, 1)
    assert Progress(**read).best_replicates == []


def test_a_checkpoint_of_the_second_version_is_read(run, tmp_path):
    folder = save_epoch(run, tmp_path, 1)
    content = json.loads((folder / STATE).read_text())
    del content["progress"]["best_replicates"]
    former = {"steps": content["history"]["step_metrics"], "epochs": content["history"]["epoch_metrics"]}
    for name in ("gap_low", "gap_high", "gap_slope", "gap_slope_error", "verdict", "trend"):
        del former["epochs"][name]
    _reseal(folder, schema_version=2, progress=content["progress"], history=former)
    checkpoint = open_checkpoint(folder)
    progress = Progress(**checkpoint.progress)
    assert progress.best_replicates == []
    assert progress.best_val_loss == run.state.progress.best_val_loss
    assert checkpoint.history.step_metrics == run.state.history.step_metrics
    assert [epoch.verdict for epoch in checkpoint.history.epoch_metrics] == [""]


def test_a_network_from_before_decoders_wrote_noise_is_opened_as_one_without(run, tmp_path):
    folder = save_epoch(run, tmp_path, 1)
    for version, noise in ((4, False), (5, False), (SCHEMA_VERSION, True)):
        _reseal(
            folder,
            schema_version=version,
            config={"model": {"name": "spectral_vae"} | ({"noise": True} if noise else {})},
        )
        assert open_checkpoint(folder).config["model"] == {"name": "spectral_vae", "noise": noise}


def test_what_the_best_epoch_was_like_comes_back_to_the_last_digit(run, tmp_path):
    saved = run.state.progress.best_replicates
    assert len(set(saved)) > 1
    assert Progress(**open_checkpoint(save_epoch(run, tmp_path, 1)).progress).best_replicates == saved


@pytest.mark.parametrize(
    "wrong",
    [
        {"best_replicates": [math.nan]},
        {"best_replicates": ["0.5"]},
        {"best_replicates": 3},
        {"best_val_loss": math.inf},
    ],
)
def test_a_loss_that_is_none_is_refused(run, tmp_path, wrong):
    folder = save_epoch(run, tmp_path, 1)
    _reseal(folder, progress=json.loads((folder / STATE).read_text())["progress"] | wrong)
    with pytest.raises(CheckpointError, match=r"a loss that is none|not iterable|must be an iterable"):
        open_checkpoint(folder)
