"""Writing checkpoints: under a temporary name, synced, and renamed.

What a checkpoint replaces is renamed away first and removed last, so that a crash at any instant leaves a whole one.
"""

import secrets
import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sda.durable import sync_file, sync_folder, write_json
from sda.errors import CheckpointError, DivergedError
from sda.seal import write_sealed
from sda.training.checkpoint import (
    BEST,
    MANIFEST,
    PRIOR,
    SCHEMA_VERSION,
    STATE,
    TENSORS,
    Checkpoint,
    find_not_finite,
    hash_file,
    list_checkpoints,
    list_regular,
    name_retired,
    name_seal,
    open_checkpoint,
)
from sda.training.metrics import MetricsHistory

if TYPE_CHECKING:
    from torch import Tensor

    from sda.training.state import TrainState


@dataclass(frozen=True)
class Draft:
    """A checkpoint that is still to be written."""

    name: str
    tensors: "dict[str, Tensor]"
    content: dict[str, Any]
    """What `state.json` holds."""

    @property
    def is_best(self) -> bool:
        """Whether it is the best epoch's."""
        return self.name == BEST

    def detach(self) -> "Draft":
        """A copy that training on does not change."""
        return replace(self, tensors={name: tensor.clone() for name, tensor in self.tensors.items()})


def draft_checkpoint(
    state: "TrainState",
    config: dict[str, Any],
    facts: dict[str, Any],
    prior: "Mapping[str, Tensor] | None" = None,
    *,
    best: bool,
) -> Draft:
    """The state as it is now; it may share memory with it.

    Args:
        prior: tensors of the prior that goes with the model.
        best: as the best epoch's; others are named by epoch, and by batch when the epoch is not over.

    Raises:
        DivergedError: the state is not finite, so that nothing could go on from it.
    """
    progress = state.progress
    name = f"epoch_{progress.epoch:04d}" + (f"_batch_{progress.batch:05d}" if progress.batch else "")
    named = state.tensors() | {f"{PRIOR}/{key}": tensor for key, tensor in (prior or {}).items()}
    tensors = {key: tensor.detach().cpu().contiguous() for key, tensor in named.items()}
    damaged = find_not_finite(tensors)
    if damaged:
        raise DivergedError(f"the state at step {progress.step} is not saved: {damaged} is not finite")
    content = _list_content(asdict(progress), state.history, config, facts)
    return Draft(BEST if best else name, tensors, content)


def draft_copy(checkpoint: Checkpoint, config: dict[str, Any], facts: dict[str, Any]) -> Draft:
    """Another installation's checkpoint as one of this one's: its state, and our configuration and facts.

    Raises:
        CheckpointError: its tensors cannot be read.
    """
    if PRIOR in checkpoint.facts:
        facts = {**facts, PRIOR: checkpoint.facts[PRIOR]}
    content = _list_content(checkpoint.progress, checkpoint.history, config, facts)
    return Draft(checkpoint.folder.name, checkpoint.load_tensors(), content)


def _list_content(
    progress: dict[str, Any], history: MetricsHistory, config: dict[str, Any], facts: dict[str, Any]
) -> dict[str, Any]:
    """What `state.json` holds."""
    return {
        "schema_version": SCHEMA_VERSION,
        "progress": progress,
        "history": history.to_dict(),
        "config": config,
        "facts": facts,
    }


class CheckpointWriter:
    """Writes checkpoints below a folder and keeps what could not be written until it can.

    Args:
        max_kept: recent checkpoints to keep, beside the best and the one that a run that diverges goes back to.
        interval: epochs between those of which that one is the newest.
    """

    def __init__(self, folder: Path, max_kept: int, interval: int = 1):
        self.folder = folder
        self._max_kept = max_kept
        self._interval = interval
        self._owed: dict[bool, Draft] = {}

    @property
    def owes(self) -> bool:
        """Whether a checkpoint is still only in memory."""
        return bool(self._owed)

    def write(self, draft: Draft) -> Path:
        """Write durably; older recent ones are dropped only then.

        Raises:
            OSError: it could not be written; earlier checkpoints are intact, and this one waits for `write_owed`.
        """
        try:
            target = write_checkpoint(self.folder, draft)
        except OSError:
            self._owed[draft.is_best] = draft.detach()
            raise
        self._owed.pop(draft.is_best, None)
        kept = list_regular(self.folder, self._interval)[-1:]
        for outdated in list_checkpoints(self.folder)[: -self._max_kept]:
            if outdated not in kept:
                remove_checkpoint(outdated)
        return target

    def write_owed(self) -> list[Path]:
        """Write what could not be written before.

        Raises:
            OSError: it still cannot.
        """
        return [self.write(draft) for draft in list(self._owed.values())]


def write_checkpoint(folder: Path, draft: Draft) -> Path:
    """Write one checkpoint durably, replacing one of its name.

    Raises:
        OSError: it could not be written; what was there is intact.
    """
    from safetensors.torch import save

    folder.mkdir(parents=True, exist_ok=True)
    target = folder / draft.name
    if target.is_dir() and not draft.is_best and _holds(target, draft.content["progress"]):
        return target  # saved before, at this very batch
    temporary = folder / f".{target.name}.{secrets.token_hex(4)}.tmp"
    try:
        temporary.mkdir()
        (temporary / TENSORS).write_bytes(save(draft.tensors))  # not by safetensors, whose errors hide the system's
        sync_file(temporary / TENSORS)
        write_json(temporary / STATE, draft.content)
        hashes = {name: hash_file(temporary / name) for name in (TENSORS, STATE)}
        write_sealed(temporary / MANIFEST, name_seal(target), hashes)
        _replace_folder(temporary, target)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return target


def remove_checkpoint(path: Path) -> None:
    """Remove a checkpoint; one that the disk does not give up is left, no longer under its name where possible."""
    retired = name_retired(path)
    with suppress(OSError):
        shutil.rmtree(retired, ignore_errors=True)
        path.rename(retired)  # half removed under its own name it would look damaged
    shutil.rmtree(retired, ignore_errors=True)


def remove_leftovers(folder: Path) -> None:
    """Put in order what a process that was killed while saving left behind; no other may be saving here."""
    best, retired_best = folder / BEST, name_retired(folder / BEST)
    if retired_best.is_dir() and not best.is_dir():
        retired_best.rename(best)
    for path in (*folder.glob(".*.tmp"), *folder.glob(".*.retired")):
        shutil.rmtree(path, ignore_errors=True)


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
    """Put `temporary` in the place of `target`; at every instant one of old and new is there."""
    retired = name_retired(target)
    if target.exists():
        shutil.rmtree(retired, ignore_errors=True)
        target.rename(retired)
    temporary.rename(target)
    sync_folder(target.parent)
    shutil.rmtree(retired, ignore_errors=True)
