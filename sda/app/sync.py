"""`make sync`: deliver to MLflow what could not be delivered, and close runs whose process is gone."""

import sys
from pathlib import Path

from sda.app.runs import find_runs, hold_if_free, read_summary, update_summary
from sda.callbacks.backlog import is_delivered, is_tracked, link_to_run, read_state
from sda.callbacks.journal import JOURNAL, Journal
from sda.callbacks.tracking import try_to_deliver
from sda.plain_files import find_strange
from sda.printable import make_lines_printable
from sda.seal import is_own
from sda.training.metrics import RunEnded


def sync_runs() -> list[str]:
    """Bring MLflow up to date with every run below `runs`; says what was done, a line a run."""
    lines = []
    for run_dir in close_stale_runs():
        problem, notices = try_to_deliver(run_dir)
        update_summary(run_dir, mlflow_run_id=read_state(run_dir).run_id, mlflow_link=link_to_run(run_dir))
        lines += [f"{run_dir}: {notice}" for notice in notices]
        lines.append(f"{run_dir} ({read_summary(run_dir)['status']}): {problem or 'delivered'}")
    return lines


def close_stale_runs() -> list[Path]:
    """Mark runs as killed that say they run while no process holds them.

    Runs that another installation began, or in whose folder there are links, are left as they are.

    Returns:
        runs, at rest, that MLflow does not have all of.
    """
    at_rest = []
    for run_dir in find_runs():
        if not is_own(run_dir) or find_strange(run_dir):
            continue
        # Held meanwhile: a run that another process goes on with at this moment has one writer.
        with hold_if_free(run_dir) as is_free:
            if is_free and (run_dir / JOURNAL).exists():
                _close_if_stale(run_dir)
                at_rest.append(run_dir)
    return [run_dir for run_dir in at_rest if is_tracked(run_dir) and not is_delivered(run_dir)]


def _close_if_stale(run_dir: Path) -> None:
    summary = read_summary(run_dir)
    if summary["status"] != "running":
        return
    journal = Journal(run_dir)
    where = summary.get("epochs", 0), summary.get("steps", 0)
    journal(RunEnded("killed", *where, reason="its process ended without a word"))
    journal.close()
    update_summary(run_dir, status="killed")


if __name__ == "__main__":
    report = sync_runs()
    print(make_lines_printable("\n".join(report)) or "everything is delivered")
    sys.exit(any(not line.endswith(": delivered") for line in report))
