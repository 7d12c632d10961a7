"""Where a run goes on: its newest whole checkpoint, or, where nothing was saved of it yet, its very start.

From the moment its configuration is on disk a run can be continued. Stopped before its first checkpoint, it is begun
again with that configuration and with what was settled then, and is the run that was never stopped.
"""

import hashlib
import shlex
from pathlib import Path
from typing import Any, TypedDict

from sda.config.plain import read_yaml
from sda.errors import CheckpointError, DamagedError
from sda.plain_files import read_plain
from sda.runs.folder import CHECKPOINTS, CONFIG_FILE, read_overrides, read_summary
from sda.seal import name_purpose, read_origin, read_sealed, write_sealed
from sda.shell import name_command
from sda.stored import read_stored, take_shape
from sda.tracking.journal import JOURNAL, read_journal
from sda.training.checkpoint import Checkpoint, has_checkpoints, open_newest
from sda.training.metrics import MetricsHistory

BEGUN = ".hydra/begun.json"
"""What was settled when a run was begun: the facts that its checkpoints hold too."""


class _Facts(TypedDict):
    files: dict[str, str]
    split: dict[str, Any]
    choices: list[dict[str, Any]]
    versions: dict[str, str]


def open_continuation(run_dir: Path) -> tuple[Checkpoint, list[str]]:
    """What a run goes on from, and a message for every damaged checkpoint that had to be passed over.

    Raises:
        CheckpointError: its checkpoints are damaged or gone, or it has none and cannot be begun again.
    """
    folder = run_dir / CHECKPOINTS
    if has_checkpoints(folder):
        try:
            return open_newest(folder)
        except CheckpointError as error:
            raise CheckpointError(f"{error} {_advise(run_dir)}") from error
    journal = run_dir / JOURNAL
    if read_summary(run_dir)["status"] == "finished" or (journal.exists() and _tells_of_saving(journal)):
        raise CheckpointError(f"the checkpoints of {run_dir} are gone: put them back into {folder}. {_advise(run_dir)}")
    facts = read_begun_facts(run_dir)
    progress = {"epoch": 0, "step": 0}
    config = read_begun_config(run_dir)
    return Checkpoint(run_dir, progress, MetricsHistory(), config, facts, is_own=True, is_start=True), []


def can_go_on(run_dir: Path) -> bool:
    """Whether a run can be continued."""
    try:
        open_continuation(run_dir)
    except CheckpointError:
        return False
    return True


def write_begun_facts(run_dir: Path, facts: dict[str, Any]) -> None:
    """Keep what was settled, durably and sealed, before anything is learned."""
    write_sealed(run_dir / BEGUN, name_purpose(BEGUN, run_dir), facts)


def read_begun_facts(run_dir: Path) -> dict[str, Any]:
    """What was settled when a run was begun.

    Raises:
        CheckpointError: it is damaged, was never noted, or by another installation.
    """
    advice = f"Nothing was saved of the run. {_advise(run_dir)}"
    values = read_sealed(run_dir / BEGUN, name_purpose(BEGUN, run_dir))
    if values is None:
        raise DamagedError(f"{run_dir / BEGUN} is missing, damaged, or was written by another installation. {advice}")
    return dict(take_shape(values, _Facts, str(run_dir / BEGUN), advice))


def read_begun_config(run_dir: Path) -> dict[str, Any]:
    """The configuration that a run was begun with, as plain values: it is resolved, and never a second time.

    Raises:
        CheckpointError: it is damaged or gone, or not what this installation wrote.
    """
    advice = f"Nothing was saved of the run. {_advise(run_dir)}"
    known = (read_origin(run_dir) or {}).get("config_sha256")
    try:
        content = read_plain(run_dir / CONFIG_FILE)
    except OSError as error:
        raise DamagedError(f"{run_dir / CONFIG_FILE} cannot be read ({error.strerror or error}). {advice}") from error
    if hashlib.sha256(content).hexdigest() != known:
        raise DamagedError(f"{run_dir / CONFIG_FILE} is not as this installation wrote it. {advice}")
    return read_stored(run_dir / CONFIG_FILE, dict[str, Any], advice, read_yaml)


def _tells_of_saving(journal: Path) -> bool:
    return any(values["event"] == "CheckpointSaved" for values in read_journal(journal))


def _advise(run_dir: Path) -> str:
    """What to do about a run that cannot go on."""
    try:
        given = read_overrides(run_dir)
    except DamagedError:
        given = []
    return f"To train it anew, in another folder: {name_command('train')} {shlex.join(given) or '…'}"
