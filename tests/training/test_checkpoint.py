import errno
import hashlib
import json
import math
import shutil
from pathlib import Path

import pytest
import torch

from sda.errors import CheckpointError, DivergedError
from sda.training.checkpoint import (
    MANIFEST,
    SCHEMA_VERSION,
    STATE,
    TENSORS,
    list_checkpoints,
    open_best,
    open_checkpoint,
    open_newest,
)
from sda.training.checkpoint_writer import CheckpointWriter, abandon_best, draft_checkpoint, remove_leftovers
from sda.training.state import Progress


@pytest.fixture
def run(make_miniature):
    miniature = make_miniature(max_epochs=1)
    miniature.run()
    return miniature


def _save(run, folder: Path, epoch: int, best: bool = False, max_kept: int = 3) -> Path:
    return CheckpointWriter(folder, max_kept).write(_draft(run, epoch, best))


def _draft(run, epoch: int, best: bool = False):
    run.state.progress.epoch = epoch
    return draft_checkpoint(run.state, {"seed": 7}, {"files": {}}, best=best)


def _reseal(folder: Path, **changes) -> None:
    """Change what `state.json` says and make the manifest fit, as whoever crafts a checkpoint would."""
    content = json.loads((folder / STATE).read_text()) | changes
    (folder / STATE).write_text(json.dumps(content))
    reseal_manifest(folder)


def reseal_manifest(folder: Path) -> None:
    hashes = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in (TENSORS, STATE)}
    (folder / MANIFEST).write_text(json.dumps(hashes))


def test_everything_comes_back(run, tmp_path):
    checkpoint = open_checkpoint(_save(run, tmp_path, 1))
    loaded = checkpoint.load_tensors()
    assert loaded.keys() == run.state.tensors().keys()
    assert all(torch.equal(tensor, loaded[name]) for name, tensor in run.state.tensors().items())
    assert checkpoint.progress["epoch"] == 1
    assert checkpoint.history == run.state.history
    assert (checkpoint.config, checkpoint.facts) == ({"seed": 7}, {"files": {}})


def test_the_state_holds_all_that_a_continuation_depends_on(run):
    names = run.state.tensors().keys()
    n_parameters = len(list(run.model.parameters()))
    assert sum(name.endswith("/exp_avg") for name in names) == n_parameters
    assert sum(name.endswith("/step") for name in names) == n_parameters
    assert {"rng/cpu", "model/standardise.mean", "average/standardise.mean"} <= names


def test_three_recent_ones_and_the_best_are_kept(run, tmp_path):
    _save(run, tmp_path, 1, best=True)
    for epoch in (10, 20, 30, 40, 50):
        _save(run, tmp_path, epoch)
    assert [path.name for path in list_checkpoints(tmp_path)] == ["epoch_0030", "epoch_0040", "epoch_0050"]
    assert open_best(tmp_path).progress["epoch"] == 1
    _save(run, tmp_path, 60, best=True)
    assert open_best(tmp_path).progress["epoch"] == 60
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_ten_thousand_epochs_are_counted_and_not_spelled(run, tmp_path):
    for epoch in (9980, 9990, 10000, 10010):
        _save(run, tmp_path, epoch)
    assert [path.name for path in list_checkpoints(tmp_path)] == ["epoch_9990", "epoch_10000", "epoch_10010"]


def test_a_best_one_from_an_abandoned_future_is_put_aside(run, tmp_path):
    _save(run, tmp_path, 10)
    _save(run, tmp_path, 16, best=True)
    abandon_best(tmp_path, last_epoch=16)
    assert open_best(tmp_path).progress["epoch"] == 16
    abandon_best(tmp_path, last_epoch=10)
    assert open_best(tmp_path).progress["epoch"] == 10
    assert (tmp_path / "abandoned_best").is_dir()


def test_a_checkpoint_in_mid_epoch_comes_between_the_epochs(run, tmp_path):
    _save(run, tmp_path, 1)
    _save(run, tmp_path, 2)
    run.state.progress.batch = 17
    _save(run, tmp_path, 1)
    assert [path.name for path in list_checkpoints(tmp_path)] == ["epoch_0001", "epoch_0001_batch_00017", "epoch_0002"]


@pytest.mark.parametrize("name", [TENSORS, STATE])
@pytest.mark.parametrize("damage", ["flip", "truncate", "remove"])
def test_a_damaged_checkpoint_is_named_and_the_one_before_it_used(run, tmp_path, name, damage):
    _save(run, tmp_path, 1)
    newest = _save(run, tmp_path, 2) / name
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
    (_save(run, tmp_path, 2) / STATE).write_text("{}")
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
    (_save(run, tmp_path, 1) / STATE).write_text("{}")
    with pytest.raises(CheckpointError, match=r"no usable checkpoint.*damaged"):
        open_newest(tmp_path)


@pytest.mark.parametrize("operation", ["sync_file", "write_json", "sync_folder", "hash_file"])
def test_a_failed_save_leaves_the_old_ones_and_no_rubbish(run, tmp_path, monkeypatch, operation):
    _save(run, tmp_path, 1)

    def refuse(*args):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(f"sda.training.checkpoint_writer.{operation}", refuse)
    with pytest.raises(OSError, match="Input/output error"):
        _save(run, tmp_path, 2)
    monkeypatch.undo()
    names = {path.name for path in tmp_path.iterdir() if path.name != "sounds"}
    assert {"epoch_0001"} <= names <= {"epoch_0001", "epoch_0002"}  # in place before its folder was synced
    assert open_checkpoint(tmp_path / "epoch_0001").progress["epoch"] == 1


def test_what_could_not_be_written_is_kept_as_it_was_and_written_later(run, tmp_path, monkeypatch):
    writer = CheckpointWriter(tmp_path / "checkpoints", max_kept=3)
    expected = {name: tensor.clone() for name, tensor in run.state.tensors().items()}
    (tmp_path / "checkpoints").write_text("in the way")
    for best in (False, True):
        with pytest.raises(OSError, match="exists"):
            writer.write(_draft(run, 1, best))
    assert writer.owes
    with torch.no_grad():
        for parameter in run.model.parameters():
            parameter.add_(1.0)  # training goes on
    (tmp_path / "checkpoints").unlink()
    paths = writer.write_owed()
    assert [path.name for path in paths] == ["epoch_0001", "best"]
    assert not writer.owes
    for path in paths:
        loaded = open_checkpoint(path).load_tensors()
        assert all(torch.equal(tensor, loaded[name]) for name, tensor in expected.items())


def test_what_a_killed_save_left_is_swept_away_and_checkpoints_are_not(run, tmp_path):
    _save(run, tmp_path, 1)
    shutil.copytree(tmp_path / "epoch_0001", tmp_path / ".epoch_0002.1f0c.tmp")
    shutil.copytree(tmp_path / "epoch_0001", tmp_path / ".epoch_0000.retired")
    shutil.copytree(tmp_path / "epoch_0001", tmp_path / ".best.retired")
    remove_leftovers(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir() if path.name != "sounds") == ["best", "epoch_0001"]
    shutil.copytree(tmp_path / "epoch_0001", tmp_path / ".best.retired")
    remove_leftovers(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir() if path.name != "sounds") == ["best", "epoch_0001"]


def test_a_state_that_is_not_finite_is_not_saved(run, tmp_path):
    with torch.no_grad():
        next(run.model.parameters()).view(-1)[0] = math.nan
    with pytest.raises(DivergedError, match=r"is not saved: model/.* is not finite"):
        _save(run, tmp_path, 2)


def test_a_best_one_caught_between_two_renames_is_found(run, tmp_path):
    best = _save(run, tmp_path, 5, best=True)
    shutil.move(best, tmp_path / ".best.retired")
    assert open_best(tmp_path).progress["epoch"] == 5


def test_another_version_is_refused(run, tmp_path):
    folder = _save(run, tmp_path, 1)
    _reseal(folder, schema_version=99)
    with pytest.raises(CheckpointError, match="schema version 99; this sda reads versions up to"):
        open_checkpoint(folder)


def test_a_checkpoint_of_the_first_version_is_read(run, tmp_path):
    folder = _save(run, tmp_path, 1)
    progress = json.loads((folder / STATE).read_text())["progress"]
    for name in ("n_rollbacks", "learning_rate_scale", "n_parts"):
        del progress[name]
    _reseal(folder, schema_version=1, progress=progress)
    read = open_checkpoint(folder).progress
    assert (read["n_rollbacks"], read["learning_rate_scale"], read["n_parts"]) == (0, 1.0, 1)
    assert Progress(**read).best_replicates == []


def test_a_checkpoint_of_the_second_version_is_read(run, tmp_path):
    folder = _save(run, tmp_path, 1)
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
    folder = _save(run, tmp_path, 1)
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
    assert Progress(**open_checkpoint(_save(run, tmp_path, 1)).progress).best_replicates == saved


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
    folder = _save(run, tmp_path, 1)
    _reseal(folder, progress=json.loads((folder / STATE).read_text())["progress"] | wrong)
    with pytest.raises(CheckpointError, match=r"a loss that is none|not iterable|must be an iterable"):
        open_checkpoint(folder)
