"""Events after the end: what was made of a run, told to its journal, and from there to MLflow."""

from pathlib import Path

from sda.runs.folder import is_running, lock_run
from sda.runs.redelivery import describe_lack
from sda.seal import is_own
from sda.tracking.delivery import deliver_in_time
from sda.tracking.delivery_state import is_tracked
from sda.tracking.journal import Journal
from sda.training.events import Event


def record(run_dir: Path, event: Event) -> list[str]:
    """Add an event to a run's journal and let MLflow have it.

    A run of another installation is left as it is.

    Returns:
        what could not be done, and what had to be done beside, as lines to print.
    """
    if not is_own(run_dir):
        return []
    if is_running(run_dir):
        return ["! MLflow was not told: the run is being trained; do it again when it has ended"]
    with lock_run(run_dir):
        journal = Journal(run_dir)
        journal(event)
        journal.close()
        if journal.problem:
            return [f"! MLflow was not told: {journal.problem}"]
    if not is_tracked(run_dir):
        return []
    delivery = deliver_in_time(run_dir)
    lack = describe_lack(delivery, run_dir)
    problem = [f"! MLflow was not told: {lack}"] if lack else []
    return [*problem, *(f"! MLflow: {notice}" for notice in delivery.notices)]
