"""Checkpoints: a folder of tensors (safetensors) and facts (JSON), whole or not there, checked before it is used.

A checkpoint holds `tensors.safetensors`, `state.json` and `manifest.json` with the SHA-256 of both. It is written
under a temporary name, synced, and renamed. No pickle is ever read.
"""

import hashlib
import json
import re
import secrets
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sda.durable import sync_file, sync_folder, write_json
from sda.errors import CheckpointError
from sda.training.metrics import MetricsHistory

if TYPE_CHECKING:
    from torch import Tensor

    from sda.training.state import TrainState

SCHEMA_VERSION = 1
TENSORS, STATE, MANIFEST = "tensors.safetensors", "state.json", "manifest.json"
BEST = "best"
"""Name of the folder with the best epoch's checkpoint, beside those named by epoch."""
_RETIRED_BEST = ".best.retired"


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint whose files were found whole; its tensors are still on disk."""

    folder: Path
    progress: dict[str, Any]
    """Fields of `sda.training.state.Progress`."""
    history: MetricsHistory
    config: dict[str, Any]
    """The run's configuration, resolved."""
    facts: dict[str, Any]
    """What else the continuation needs: dataset fingerprint, versions."""

    def load_tensors(self) -> "dict[str, Tensor]":
        """All tensors by name, on the CPU."""
        from safetensors.torch import load_file

        return load_file(self.folder / TENSORS)


def save_checkpoint(
    folder: Path, state: "TrainState", config: dict[str, Any], facts: dict[str, Any], *, max_kept: int, best: bool
) -> Path:
    """Write the state durably below `folder`.

    A checkpoint is named by its epoch, and by its batch when the epoch is not over; the best one is named `best`.

    Args:
        max_kept: recent checkpoints to keep, beside the best.
        best: write the best epoch's instead of a recent one.

    Raises:
        OSError: it could not be written; earlier checkpoints are intact.
    """
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    progress = state.progress
    name = f"epoch_{progress.epoch:04d}" + (f"_batch_{progress.batch:05d}" if progress.batch else "")
    target = folder / (BEST if best else name)
    if target.is_dir() and not best and _holds(target, asdict(progress)):
        return target  # saved before, at this very batch
    temporary = folder / f".{target.name}.{secrets.token_hex(4)}.tmp"
    try:
        temporary.mkdir()
        tensors = {key: tensor.detach().cpu().contiguous() for key, tensor in state.tensors().items()}
        save_file(tensors, temporary / TENSORS)
        sync_file(temporary / TENSORS)
        content = {
            "schema_version": SCHEMA_VERSION,
            "progress": asdict(progress),
            "history": state.history.to_dict(),
            "config": config,
            "facts": facts,
        }
        write_json(temporary / STATE, content)
        write_json(temporary / MANIFEST, {name: _hash_file(temporary / name) for name in (TENSORS, STATE)})
        _replace_folder(temporary, target)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    if not best:
        for outdated in list_checkpoints(folder)[:-max_kept]:
            shutil.rmtree(outdated)
    return target


def list_checkpoints(folder: Path) -> list[Path]:
    """Recent checkpoints, oldest first, without the best."""
    return sorted((path for path in folder.glob("epoch_*") if path.is_dir()), key=_position)


def _position(checkpoint: Path) -> list[int]:
    """Epoch and batch in a checkpoint's name."""
    return [int(number) for number in re.findall(r"\d+", checkpoint.name)]


def open_checkpoint(folder: Path) -> Checkpoint:
    """Check a checkpoint's files against its manifest and read its facts; no tensor is loaded.

    Raises:
        CheckpointError: it is missing, incomplete, damaged, or of a version this sda does not read.
    """
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        for name in (TENSORS, STATE):
            if _hash_file(folder / name) != manifest[name]:
                raise CheckpointError(f"{folder / name} is damaged: its content does not match the manifest.")
        content = json.loads((folder / STATE).read_text(encoding="utf-8"))
        if content["schema_version"] != SCHEMA_VERSION:
            raise CheckpointError(
                f"{folder} has schema version {content['schema_version']}; this sda reads version {SCHEMA_VERSION}."
            )
        return Checkpoint(
            folder,
            content["progress"],
            MetricsHistory.from_dict(content["history"]),
            content["config"],
            content["facts"],
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"{folder} is no complete checkpoint ({type(error).__name__}: {error}).") from error


def open_newest(folder: Path) -> tuple[Checkpoint, list[str]]:
    """The newest whole checkpoint, and a message for every damaged one that had to be passed over.

    Raises:
        CheckpointError: there is none.
    """
    damaged: list[str] = []
    for path in reversed(list_checkpoints(folder)):
        try:
            return open_checkpoint(path), damaged
        except CheckpointError as error:
            damaged.append(str(error))
    details = " ".join(damaged) or "The run ended before its first one was due."
    raise CheckpointError(f"{folder} holds no usable checkpoint. {details} Start the run anew.")


def open_best(folder: Path) -> Checkpoint:
    """The best epoch's checkpoint, or the newest where no epoch was best yet.

    Raises:
        CheckpointError: there is none, or the best is damaged.
    """
    for name in (BEST, _RETIRED_BEST):
        if (folder / name).is_dir():
            return open_checkpoint(folder / name)
    return open_newest(folder)[0]


def abandon_best(folder: Path, last_epoch: int) -> None:
    """Put aside a best checkpoint from after `last_epoch`: a run that goes on from there will find its own."""
    best = folder / BEST
    if best.is_dir() and open_checkpoint(best).progress["epoch"] > last_epoch:
        shutil.rmtree(folder / "abandoned_best", ignore_errors=True)
        best.rename(folder / "abandoned_best")


def _holds(folder: Path, progress: dict[str, Any]) -> bool:
    """Whether a whole checkpoint of this very state is there."""
    try:
        return open_checkpoint(folder).progress == progress
    except CheckpointError:
        return False


def _replace_folder(temporary: Path, target: Path) -> None:
    """Put `temporary` in the place of `target`; at every instant one of old and new best is there."""
    retired = target.with_name(_RETIRED_BEST)
    if target.exists() and target.name != BEST:
        shutil.rmtree(target)  # damaged, or of a timeline that was given up
    elif target.exists():
        shutil.rmtree(retired, ignore_errors=True)
        target.rename(retired)
    temporary.rename(target)
    sync_folder(target.parent)
    if target.name == BEST:
        shutil.rmtree(retired, ignore_errors=True)


def _hash_file(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
