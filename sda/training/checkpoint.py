"""Checkpoints: a folder of tensors (safetensors) and facts (JSON), whole or not there, checked before it is used.

A checkpoint holds `tensors.safetensors`, `state.json` and `manifest.json` with the SHA-256 of both, sealed; `saving`
writes it. No pickle is ever read, and nothing is taken over unchecked.
"""

import hashlib
import math
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sda.errors import CheckpointError
from sda.plain_files import open_plain, read_json
from sda.seal import SEAL, holds, name_purpose
from sda.shell import name_command
from sda.training.metrics import MetricsHistory

if TYPE_CHECKING:
    from torch import Tensor


SCHEMA_VERSION = 6
TENSORS, STATE, MANIFEST = "tensors.safetensors", "state.json", "manifest.json"
BEST = "best"
"""Name of the folder with the best epoch's checkpoint, beside those named by epoch."""
PRIOR = "prior"
"""Among the facts, what there is to say of the stored prior; `prior/…` are its tensors."""
MOST_STATE_BYTES = 1 << 30
"""Size of `state.json` beyond which it is not read; a million steps take a fifth of this."""

_HASHED_AT_ONCE = 1 << 20

_DTYPES = {"torch.float32": "F32", "torch.float64": "F64", "torch.int64": "I64", "torch.bool": "BOOL"}
"""What safetensors calls the types that models have."""


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint whose files were found whole; its tensors are still on disk."""

    folder: Path
    """Where it lies; of a model in one file, that file."""
    progress: dict[str, Any]
    """Fields of `sda.training.state.Progress`."""
    history: MetricsHistory
    config: dict[str, Any]
    """The run's configuration, resolved."""
    facts: dict[str, Any]
    """What else the continuation needs: dataset fingerprint, versions."""
    is_own: bool = False
    """Whether this installation wrote it, so that the places which its configuration names are the user's own."""
    is_start: bool = False
    """Whether it stands for the run before its first step, of which there is nothing but configuration and facts."""
    is_file: bool = False
    """Whether it is a model in one file, see `sda.export.model_file`, which nothing can be continued from."""

    @property
    def tensors_path(self) -> Path:
        """The file that its tensors lie in."""
        return self.folder if self.is_file else self.folder / TENSORS

    def check_tensors(self, expected: "Mapping[str, Tensor]") -> None:
        """See that tensors are there in the shape and type that a model has; only the file's header is read.

        Args:
            expected: tensors as they should be, whatever their values; the meta device will do.

        Raises:
            CheckpointError: the file is no safetensors file, lacks a tensor, or has it in another form.
        """
        import safetensors

        path = self.tensors_path
        try:
            with safetensors.safe_open(path, framework="pt") as file:
                names = set(file.keys())
                for name, tensor in expected.items():
                    wanted = f"{_DTYPES.get(str(tensor.dtype))} {list(tensor.shape)}"
                    found = "missing"
                    if name in names:
                        piece = file.get_slice(name)
                        found = f"{piece.get_dtype()} {list(piece.get_shape())}"
                    if found != wanted:
                        raise CheckpointError(
                            f"{path} does not fit its own configuration: {name} is {found}, where {wanted} belongs."
                        )
        except (safetensors.SafetensorError, OSError, ValueError) as error:
            raise CheckpointError(f"{path} cannot be read as safetensors ({error}).") from error

    def load_tensors(self) -> "dict[str, Tensor]":
        """All tensors by name, on the CPU; they take no more memory than the file has bytes.

        Raises:
            CheckpointError: the file is no safetensors file, or holds numbers that are not finite.
        """
        import safetensors
        from safetensors.torch import load_file

        path = self.tensors_path
        try:
            tensors = load_file(path)
        except (safetensors.SafetensorError, OSError, ValueError) as error:
            raise CheckpointError(f"{path} cannot be read as safetensors ({error}).") from error
        damaged = find_not_finite(tensors)
        if damaged:
            raise CheckpointError(f"{path} is damaged: {damaged} holds numbers that are not finite.")
        return tensors


def find_not_finite(tensors: "Mapping[str, Tensor]") -> str:
    """The name of a tensor that holds NaN or infinity; empty where none does."""
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and not tensor.isfinite().all():
            return name
    return ""


def name_seal(folder: Path) -> str:
    """What the manifest of a checkpoint is sealed as: one of the run whose folder it lies in.

    Args:
        folder: of the checkpoint, which lies in the run's folder for checkpoints.
    """
    return name_purpose("checkpoint", folder.parent.parent)


def list_checkpoints(folder: Path) -> list[Path]:
    """Recent checkpoints, oldest first, without the best."""
    return sorted((path for path in folder.glob("epoch_*") if path.is_dir()), key=_position)


def has_learned(folder: Path) -> bool:
    """Whether there is a checkpoint of more than a run's very start, whole or damaged."""
    return _find_best(folder) is not None or any(any(_position(path)) for path in list_checkpoints(folder))


def list_regular(folder: Path, interval: int) -> list[Path]:
    """Recent checkpoints that every run of a configuration makes, oldest first.

    Others are made when a clock, a signal or somebody says so.

    Args:
        interval: epochs from one to the next.
    """
    positions = {path: _position(path) for path in list_checkpoints(folder)}
    return [path for path, position in positions.items() if len(position) == 1 and position[0] % interval == 0]


def open_checkpoint(folder: Path) -> Checkpoint:
    """Check a checkpoint's files against its manifest and read its facts; no tensor is loaded.

    Raises:
        CheckpointError: it is missing, incomplete, damaged, or of a version this sda does not read.
    """
    try:
        manifest = read_json(folder / MANIFEST)
        for name in (TENSORS, STATE):
            if hash_file(folder / name) != manifest[name]:
                raise CheckpointError(f"{folder / name} is damaged: its content does not match the manifest.")
        content = _migrate(read_json(folder / STATE, MOST_STATE_BYTES), folder)
        return Checkpoint(
            folder,
            content["progress"],
            MetricsHistory.from_dict(content["history"]),
            content["config"],
            content["facts"],
            is_own=holds(manifest.get(SEAL), name_seal(folder), {name: manifest[name] for name in (TENSORS, STATE)}),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise CheckpointError(f"{folder} is no complete checkpoint ({type(error).__name__}: {error}).") from error


def open_to_go_back_to(folder: Path, interval: int) -> Checkpoint:
    """The newest whole checkpoint of those that every run of the configuration makes; the newest where none is whole.

    So a run that diverges is the same run, whether or not it was stopped before, or saved in between.

    Args:
        interval: epochs from one of them to the next.

    Raises:
        CheckpointError: there is none at all.
    """
    for path in reversed(list_regular(folder, interval)):
        with suppress(CheckpointError):
            return open_checkpoint(path)
    return open_newest(folder)[0]


def has_checkpoints(folder: Path) -> bool:
    """Whether anything was saved, damaged or not."""
    return bool(list_checkpoints(folder) or _find_best(folder))


def open_newest(folder: Path) -> tuple[Checkpoint, list[str]]:
    """The newest whole checkpoint, and a message for every damaged one that had to be passed over.

    The best one is the last resort.

    Raises:
        CheckpointError: there is none.
    """
    damaged: list[str] = []
    best = _find_best(folder)
    for path in (*reversed(list_checkpoints(folder)), *([best] if best else [])):
        try:
            return open_checkpoint(path), damaged
        except CheckpointError as error:
            damaged.append(str(error))
    if damaged:
        raise CheckpointError(f"{folder} holds no usable checkpoint. {' '.join(damaged)}")
    raise CheckpointError(
        f"{folder} holds no checkpoint: the run was stopped before its first. "
        f"To begin it again: {name_command('train')} resume={folder.parent}"
    )


def open_best(folder: Path) -> Checkpoint:
    """The best epoch's checkpoint, or the newest where no epoch was best yet.

    Raises:
        CheckpointError: there is none, or the best is damaged.
    """
    best = _find_best(folder)
    return open_checkpoint(best) if best else open_newest(folder)[0]


def _find_best(folder: Path) -> Path | None:
    """The best epoch's checkpoint, if there is one; under its other name where a crash left it so."""
    return next((path for path in (folder / BEST, name_retired(folder / BEST)) if path.is_dir()), None)


def _migrate(content: dict[str, Any], folder: Path) -> dict[str, Any]:
    """The content of `state.json` as this version writes it."""
    version = content["schema_version"]
    if version == 1:  # before runs could go back to a checkpoint, or compute a batch in parts
        content["progress"] |= {"n_rollbacks": 0, "learning_rate_scale": 1.0, "n_parts": 1}
        version = 2
    if version == 2:  # before the best epoch was chosen by draws of the held-out files
        content["progress"]["best_replicates"] = []
        version = 3
    if version == 3:  # before the prior was a thing of its own; its tensors were the model's `density`
        version = 4
    if version in (4, 5):  # before decoders wrote noise, or told it from unsteady levels
        content["config"]["model"] = {**content["config"].get("model", {}), "noise": False}
        version = 6
    if version != SCHEMA_VERSION:
        raise CheckpointError(f"{folder} has schema version {version}; this sda reads versions up to {SCHEMA_VERSION}.")
    progress = content["progress"]
    counts = ("epoch", "step", "batch", "skipped_steps", "n_rollbacks", "n_parts")
    if not all(isinstance(progress[name], int) and 0 <= progress[name] < 1 << 53 for name in counts):
        raise ValueError("its progress holds a count that is none")
    if not 0.0 < float(progress["learning_rate_scale"]) <= 1.0 or not math.isfinite(progress["elapsed_s"]):
        raise ValueError("its progress holds a number out of range")
    best = [*progress["best_replicates"], *([] if progress["best_val_loss"] is None else [progress["best_val_loss"]])]
    if not all(isinstance(loss, float) and math.isfinite(loss) for loss in best):
        raise ValueError("its progress holds a loss that is none")
    return content


def _position(checkpoint: Path) -> list[int]:
    """Epoch and batch in a checkpoint's name."""
    return [int(number) for number in re.findall(r"\d+", checkpoint.name)]


def name_retired(path: Path) -> Path:
    """The name under which a checkpoint waits to be removed."""
    return path.with_name(f".{path.name}.retired")


def hash_file(path: Path) -> str:
    """SHA-256 of a plain file's content."""
    with open_plain(path) as file:
        digest = hashlib.sha256()
        while block := file.read(_HASHED_AT_ONCE):
            digest.update(block)
        return digest.hexdigest()
