import json
import shutil
from pathlib import Path

import pytest
import torch

from sda.errors import CheckpointError
from sda.training.checkpoint import (
    STATE,
    TENSORS,
    abandon_best,
    list_checkpoints,
    open_best,
    open_checkpoint,
    open_newest,
    save_checkpoint,
)


@pytest.fixture
def run(make_miniature):
    miniature = make_miniature(max_epochs=1)
    miniature.run()
    return miniature


def _save(run, folder: Path, epoch: int, best: bool = False, max_kept: int = 3) -> Path:
    run.state.progress.epoch = epoch
    return save_checkpoint(folder, run.state, {"seed": 7}, {"files": {}}, max_kept=max_kept, best=best)


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
    assert {"rng/cpu", "model/standardise.mean", "model/density.factor"} <= names


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


def test_with_none_left_it_refuses(run, tmp_path):
    with pytest.raises(CheckpointError, match=r"no usable checkpoint.*Start the run anew"):
        open_newest(tmp_path)
    (_save(run, tmp_path, 1) / STATE).write_text("{}")
    with pytest.raises(CheckpointError, match=r"no usable checkpoint.*damaged"):
        open_newest(tmp_path)


def test_a_failed_save_leaves_the_old_ones_and_no_rubbish(run, tmp_path, monkeypatch):
    _save(run, tmp_path, 1)
    monkeypatch.setattr("sda.training.checkpoint.sync_file", lambda path: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        _save(run, tmp_path, 2)
    assert sorted(path.name for path in tmp_path.iterdir() if path.name != "sounds") == ["epoch_0001"]


def test_a_best_one_caught_between_two_renames_is_found(run, tmp_path):
    best = _save(run, tmp_path, 5, best=True)
    shutil.move(best, tmp_path / ".best.retired")
    assert open_best(tmp_path).progress["epoch"] == 5


def test_another_version_is_refused(run, tmp_path):
    folder = _save(run, tmp_path, 1)
    from sda.training.checkpoint import MANIFEST, _hash_file

    content = json.loads((folder / STATE).read_text()) | {"schema_version": 99}
    (folder / STATE).write_text(json.dumps(content))
    manifest = json.loads((folder / MANIFEST).read_text()) | {STATE: _hash_file(folder / STATE)}
    (folder / MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(CheckpointError, match="schema version 99"):
        open_checkpoint(folder)
