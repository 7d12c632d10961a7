"""What MLflow lacks of a run, in words: why, and the command that delivers it later from where the user stands."""

import shlex
from pathlib import Path

from sda.runs.folder import RUNS_ROOT
from sda.shell import name_command
from sda.tracking.delivery import Delivery


def describe_lack(delivery: Delivery, run_dir: Path) -> str:
    """Why MLflow does not have all of a run, and what to do about it; empty where it has."""
    if not delivery.problem:
        return ""
    if not delivery.until:
        return f"{delivery.problem} The journal in the run's folder has it all."
    return f"{delivery.problem}. The journal has it all: {name_sync(run_dir)} delivers it {delivery.until}"


def name_sync(run_dir: Path) -> str:
    """The command that delivers what MLflow lacks of a run: make's only in a checkout, for runs that it looks at."""
    if not run_dir.absolute().is_relative_to(Path(RUNS_ROOT).absolute()):
        return f"`sda sync {shlex.quote(str(run_dir))}`"
    return f"`{name_command('sync')}`"
