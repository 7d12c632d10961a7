"""Where a run goes on: at its newest whole checkpoint, or, where nothing was saved of it yet, at its very start.

From the moment its configuration is on disk a run can be continued. Stopped before its first checkpoint, it is begun
again with that configuration and with what was settled then, and is the run that was never stopped.
"""

import shlex
from pathlib import Path
from typing import Any, TypedDict

from sda.app.runs import CHECKPOINTS, CONFIG_FILE, read_overrides, read_summary
from sda.callbacks.journal import JOURNAL, read_journal
from sda.config.plain import read_yaml
from sda.durable import write_json
from sda.errors import CheckpointError, DamagedError
from sda.stored import read_stored
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
    return Checkpoint(
        run_dir, {"epoch": 0, "step": 0}, MetricsHistory(), read_begun_config(run_dir), facts, is_start=True
    ), []


def can_go_on(run_dir: Path) -> bool:
    """Whether a run can be continued."""
    try:
        open_continuation(run_dir)
    except CheckpointError:
        return False
    return True


def write_begun_facts(run_dir: Path, facts: dict[str, Any]) -> None:
    """Keep what was settled, durably, before anything is learned."""
    write_json(run_dir / BEGUN, facts)


def read_begun_facts(run_dir: Path) -> dict[str, Any]:
    """What was settled when a run was begun.

    Raises:
        CheckpointError: it is damaged, or was never noted.
    """
    return dict(read_stored(run_dir / BEGUN, _Facts, f"Nothing was saved of the run. {_advise(run_dir)}"))


def read_begun_config(run_dir: Path) -> dict[str, Any]:
    """The configuration that a run was begun with, as plain values: it is resolved, and never a second time.

    Raises:
        CheckpointError: it is damaged or gone.
    """
    advice = f"Nothing was saved of the run. {_advise(run_dir)}"
    return read_stored(run_dir / CONFIG_FILE, dict[str, Any], advice, read_yaml)


def _tells_of_saving(journal: Path) -> bool:
    return any(values["event"] == "CheckpointSaved" for values in read_journal(journal))


def _advise(run_dir: Path) -> str:
    """What to do about a run that cannot go on."""
    try:
        given = read_overrides(run_dir)
    except DamagedError:
        given = []
    return f"To train it anew, in another folder: python train.py {shlex.join(given) or '…'}"
