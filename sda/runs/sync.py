"""`sda sync`, or `make sync`: MLflow gets what it lacks, runs whose process is gone are closed."""

import sys
from argparse import ArgumentParser
from collections.abc import Sequence
from pathlib import Path

from sda.errors import DamagedError, SdaError
from sda.plain_files import find_strange
from sda.printable import make_lines_printable
from sda.runs.folder import find_run, find_runs, hold_if_free, read_summary, update_summary
from sda.seal import is_own
from sda.stored import pass_over
from sda.tracking.delivery import deliver_in_time
from sda.tracking.delivery_state import is_delivered, is_tracked, link_to_run, read_state
from sda.tracking.journal import JOURNAL, Journal
from sda.training.events import RunEnded


def sync_runs(run_dirs: Sequence[Path] | None = None) -> list[str]:
    """Bring MLflow up to date with runs, every one below `runs` if none are given; says what was done, a line a run."""
    lines = []
    for run_dir in close_stale_runs(run_dirs):
        delivery = deliver_in_time(run_dir)
        try:
            update_summary(run_dir, mlflow_run_id=read_state(run_dir).run_id, mlflow_link=link_to_run(run_dir))
            status = read_summary(run_dir)["status"]
        except (DamagedError, OSError) as damage:
            pass_over(damage)
            continue
        lines += [f"{run_dir}: {notice}" for notice in delivery.notices]
        lines.append(f"{run_dir} ({status}): {delivery.problem or 'delivered'}")
    return lines


def close_stale_runs(run_dirs: Sequence[Path] | None = None) -> list[Path]:
    """Mark runs as killed that say they run while no process holds them; every one below `runs` if none are given.

    Runs that are damaged, or may not be written to, are named and passed over. Runs that another installation began, or
    in whose folder there are links, are left as they are.

    Returns:
        runs, at rest, that MLflow does not have all of.
    """
    behind = []
    for run_dir in find_runs() if run_dirs is None else run_dirs:
        if not is_own(run_dir) or find_strange(run_dir):
            continue
        try:
            # Held meanwhile: a run that another process goes on with at this moment has one writer.
            with hold_if_free(run_dir) as is_free:
                if not is_free:
                    continue
                _close_if_stale(run_dir)
            if (run_dir / JOURNAL).exists() and is_tracked(run_dir) and not is_delivered(run_dir):
                behind.append(run_dir)
        except (DamagedError, OSError) as damage:
            pass_over(damage)
    return behind


def _close_if_stale(run_dir: Path) -> None:
    """Mark a run that nobody holds as killed, if it says that it runs; one without a journal had told nothing yet."""
    summary = read_summary(run_dir)
    if summary["status"] != "running":
        return
    if (run_dir / JOURNAL).exists():
        journal = Journal(run_dir)
        where = summary.get("epochs", 0), summary.get("steps", 0)
        journal(RunEnded("killed", *where, reason="its process ended without a word"))
        journal.close()
    update_summary(run_dir, status="killed")


def sync() -> None:
    """Entry point of `sda sync`."""
    parser = ArgumentParser(
        description="Deliver to MLflow what it lacks of runs, and close those whose process is gone."
    )
    parser.add_argument("run", nargs="*", help="its folder, its MLflow run id, or last; without one, all below runs/")
    names = parser.parse_args().run
    try:
        sys.exit(main(names))
    except SdaError as problem:
        sys.exit(f"error: {make_lines_printable(str(problem))}")


def main(names: Sequence[str]) -> int:
    """Sync the named runs, or every one below `runs`; gives the exit code.

    Raises:
        CheckpointError: there is no such run.
    """
    report = sync_runs([find_run(name) for name in names] or None)
    print(make_lines_printable("\n".join(report)) or "everything that can be read is delivered")
    return int(any(not line.endswith(": delivered") for line in report))


if __name__ == "__main__":
    sync()
