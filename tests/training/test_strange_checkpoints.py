"""Checkpoints that someone crafted: whatever they hold ends in a clear error, and nothing in them is run."""

import io
import json
import math
import pickle
import struct
import zipfile

import pytest
import torch
from safetensors.torch import save

from sda.errors import CheckpointError
from sda.training.checkpoint import STATE, TENSORS, open_checkpoint
from sda.training.checkpoint_writer import CheckpointWriter, draft_checkpoint
from sda.training.state import list_tensors
from tests.training.test_checkpoint import reseal_manifest


class Bomb:
    """Writes a file when it is unpickled."""

    def __init__(self, target):
        self.target = str(target)

    def __reduce__(self):
        return open, (self.target, "w")


@pytest.fixture
def crafted(run, tmp_path):
    """A whole checkpoint, and a way to replace one of its files under a manifest that fits."""
    folder = CheckpointWriter(tmp_path / "checkpoints", 3).write(draft_checkpoint(run.state, {}, {}, best=False))

    def craft(name: str, content: bytes):
        (folder / name).write_bytes(content)
        reseal_manifest(folder)
        return folder

    return craft


def _open_all(folder, run):
    checkpoint = open_checkpoint(folder)
    checkpoint.check_tensors(list_tensors(run.model))
    run.state.load_tensors(checkpoint.load_tensors())


def _zip_bomb() -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", b"0" * 50_000_000)
    return packed.getvalue()


def _with_header(header: dict, data: bytes = b"") -> bytes:
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


TENSOR_FILES = {
    "empty": b"",
    "a zip bomb": _zip_bomb(),
    "a header without end": struct.pack("<Q", 2**63) + b"{}",
    "a header of 99 MB that is not there": struct.pack("<Q", 99_000_000) + b"{}",
    "a tensor of a petabyte": _with_header({"a": {"dtype": "F32", "shape": [2**48], "data_offsets": [0, 2**50]}}),
    "a shape that overflows": _with_header({"a": {"dtype": "F32", "shape": [2**63, 4], "data_offsets": [0, 16]}}),
    "tensors over each other": _with_header(
        {name: {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]} for name in ("a", "b")}, bytes(16)
    ),
    "a name that leads out": _with_header(
        {"../../../etc/passwd": {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}}, bytes(16)
    ),
}


@pytest.mark.parametrize("what", TENSOR_FILES)
def test_tensors_that_are_none_are_refused(crafted, run, what):
    folder = crafted(TENSORS, TENSOR_FILES[what])
    with pytest.raises(CheckpointError, match=r"cannot be read as safetensors|does not fit its own configuration"):
        _open_all(folder, run)


@pytest.mark.parametrize("name", [TENSORS, STATE])
def test_a_pickle_runs_nothing(crafted, run, tmp_path, name):
    for content in (pickle.dumps(Bomb(tmp_path / "ran")), _torch_pickle(tmp_path / "ran")):
        folder = crafted(name, content)
        with pytest.raises(CheckpointError):
            _open_all(folder, run)
    assert not (tmp_path / "ran").exists()
    pickle.loads(pickle.dumps(Bomb(tmp_path / "ran"))).close()
    assert (tmp_path / "ran").exists()  # it would have


def _torch_pickle(target) -> bytes:
    packed = io.BytesIO()
    torch.save({"model": Bomb(target)}, packed)
    return packed.getvalue()


def _tensors(run):
    return {name: tensor.contiguous().clone() for name, tensor in run.state.tensors().items()}


@pytest.mark.parametrize("value", [math.nan, math.inf])
@pytest.mark.parametrize("name", ["model/standardise.mean", "optimizer/0/exp_avg"])
def test_numbers_that_are_not_finite_are_refused(crafted, run, name, value):
    tensors = _tensors(run)
    tensors[name].view(-1)[0] = value
    with pytest.raises(CheckpointError, match=f"{name} holds numbers that are not finite"):
        _open_all(crafted(TENSORS, save(tensors)), run)


def test_another_models_tensors_are_refused_before_they_are_read(crafted, run):
    name = "model/standardise.mean"
    for wrong, message in (
        (torch.zeros(31, 1), r"is F32 \[31, 1\], where F32 \[32, 1\] belongs"),
        (torch.zeros(32, 1, dtype=torch.float64), r"is F64 \[32, 1\], where F32 \[32, 1\] belongs"),
        (None, "is missing"),
    ):
        tensors = _tensors(run) | {name: wrong}
        folder = crafted(TENSORS, save({key: tensor for key, tensor in tensors.items() if tensor is not None}))
        with pytest.raises(CheckpointError, match=f"{name} {message}"):
            open_checkpoint(folder).check_tensors(list_tensors(run.model))


def test_moments_of_another_model_are_refused(crafted, run):
    tensors = _tensors(run) | {"optimizer/0/exp_avg": torch.zeros(2, 2)}
    with pytest.raises(ValueError, match="a moment of shape"):  # a session makes a CheckpointError of it
        _open_all(crafted(TENSORS, save(tensors)), run)


STATES = {
    "no JSON": b"\x80\x04",
    "a list": b"[]",
    "nested without end": b"[" * 200_000,
    "no progress": b'{"schema_version": 3}',
    "a count that is text": b'{"schema_version": 3, "progress": {"epoch": "../../x"}}',
    "history that is text": None,
    "a count without end": None,
}


@pytest.mark.parametrize("what", STATES)
def test_facts_that_are_none_are_refused(crafted, run, what):
    content = STATES[what]
    if content is None:
        whole = json.loads((crafted(TENSORS, save(_tensors(run))) / STATE).read_text())
        if what == "history that is text":
            whole["history"] = {"step_metrics": "x", "epoch_metrics": 3}
        else:
            whole["progress"]["step"] = 10**30
        content = json.dumps(whole).encode()
    folder = crafted(STATE, content)
    with pytest.raises(CheckpointError):
        open_checkpoint(folder)


def test_a_manifest_that_leads_out_is_not_followed(crafted, run, tmp_path):
    folder = crafted(TENSORS, save(_tensors(run)))
    (tmp_path / "outside").write_text("secret")
    (folder / "manifest.json").write_text(json.dumps({"../../outside": "x", TENSORS: "../outside"}))
    with pytest.raises(CheckpointError, match="damaged"):
        open_checkpoint(folder)
