"""`make sync`: deliver to MLflow what could not be delivered, and close runs whose process is gone."""

import sys
from pathlib import Path

from sda.app.runs import find_runs, is_running, read_summary, update_summary
from sda.callbacks.journal import JOURNAL, Journal
from sda.callbacks.tracking import SETTINGS, deliver, is_delivered, link_to_run, read_state
from sda.training.metrics import RunEnded


def sync_runs() -> list[str]:
    """Bring MLflow up to date with every run below `runs`; says what was done, a line a run."""
    return [line for run_dir in find_runs() if not is_running(run_dir) for line in _sync_run(run_dir)]


def close_stale_run(run_dir: Path) -> bool:
    """Mark a run as killed whose summary says that it runs while no process holds it."""
    summary = read_summary(run_dir)
    if summary["status"] != "running" or not (run_dir / JOURNAL).exists():
        return False
    journal = Journal(run_dir)
    journal(RunEnded("killed", summary.get("epochs", 0), summary.get("steps", 0), "its process ended without a word"))
    journal.close()
    update_summary(run_dir, status="killed")
    return True


def _sync_run(run_dir: Path) -> list[str]:
    lines = [f"{run_dir}: its process is gone; marked as killed"] if close_stale_run(run_dir) else []
    if not (run_dir / SETTINGS).exists() or is_delivered(run_dir):
        return lines
    try:
        deliver(run_dir)
    except Exception as error:  # one unreachable store must not keep the other runs from theirs
        return [*lines, f"{run_dir}: not delivered: {type(error).__name__}: {error}"]
    update_summary(run_dir, mlflow_run_id=read_state(run_dir).run_id, mlflow_link=link_to_run(run_dir))
    return [*lines, f"{run_dir}: delivered"]


if __name__ == "__main__":
    report = sync_runs()
    print("\n".join(report) or "everything is delivered")
    sys.exit(any(": not delivered: " in line for line in report))
