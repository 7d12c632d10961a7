"""Checkpoints as they are written: which are kept, and what is left where a save fails or is killed."""

import errno
import math
import shutil

import pytest
import torch

from sda.errors import DivergedError
from sda.training.checkpoint import (
    list_checkpoints,
    open_best,
    open_checkpoint,
)
from sda.training.checkpoint_writer import CheckpointWriter, abandon_best, remove_leftovers
from tests.training.saving import draft_epoch, save_epoch


def test_three_recent_ones_and_the_best_are_kept(run, tmp_path):
    save_epoch(run, tmp_path, 1, best=True)
    for epoch in (10, 20, 30, 40, 50):
        save_epoch(run, tmp_path, epoch)
    assert [path.name for path in list_checkpoints(tmp_path)] == ["epoch_0030", "epoch_0040", "epoch_0050"]
    assert open_best(tmp_path).progress["epoch"] == 1
    save_epoch(run, tmp_path, 60, best=True)
    assert open_best(tmp_path).progress["epoch"] == 60
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_ten_thousand_epochs_are_counted_and_not_spelled(run, tmp_path):
    for epoch in (9980, 9990, 10000, 10010):
        save_epoch(run, tmp_path, epoch)
    assert [path.name for path in list_checkpoints(tmp_path)] == ["epoch_9990", "epoch_10000", "epoch_10010"]


def test_a_best_one_from_an_abandoned_future_is_put_aside(run, tmp_path):
    save_epoch(run, tmp_path, 10)
    save_epoch(run, tmp_path, 16, best=True)
    abandon_best(tmp_path, last_epoch=16)
    assert open_best(tmp_path).progress["epoch"] == 16
    abandon_best(tmp_path, last_epoch=10)
    assert open_best(tmp_path).progress["epoch"] == 10
    assert (tmp_path / "abandoned_best").is_dir()


def test_a_checkpoint_in_mid_epoch_comes_between_the_epochs(run, tmp_path):
    save_epoch(run, tmp_path, 1)
    save_epoch(run, tmp_path, 2)
    run.state.progress.batch = 17
    save_epoch(run, tmp_path, 1)
    assert [path.name for path in list_checkpoints(tmp_path)] == ["epoch_0001", "epoch_0001_batch_00017", "epoch_0002"]


@pytest.mark.parametrize("operation", ["sync_file", "write_json", "sync_folder", "hash_file"])
def test_a_failed_save_leaves_the_old_ones_and_no_rubbish(run, tmp_path, monkeypatch, operation):
    save_epoch(run, tmp_path, 1)

    def refuse(*args):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(f"sda.training.checkpoint_writer.{operation}", refuse)
    with pytest.raises(OSError, match="Input/output error"):
        save_epoch(run, tmp_path, 2)
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
            writer.write(draft_epoch(run, 1, best))
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
    save_epoch(run, tmp_path, 1)
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
        save_epoch(run, tmp_path, 2)
