"""Telling a run, after its end, what was made of it: into its journal, and from there to MLflow."""

from pathlib import Path

from sda.app.runs import is_running, lock_run
from sda.callbacks.backlog import SETTINGS
from sda.callbacks.journal import Journal
from sda.callbacks.tracking import try_to_deliver
from sda.training.metrics import Event


def record(run_dir: Path, event: Event) -> str:
    """Add an event to a run's journal and let MLflow have it; what went wrong, in words."""
    if is_running(run_dir):
        return "the run is being trained; do it again when it has ended"
    with lock_run(run_dir):
        journal = Journal(run_dir)
        journal(event)
        journal.close()
        if journal.problem:
            return journal.problem
    problem = try_to_deliver(run_dir) if (run_dir / SETTINGS).exists() else ""
    return f"{problem}; `make sync` does it later" if problem else ""
