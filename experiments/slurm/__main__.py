"""`python -m experiments.slurm COMMAND…`: run a command beside a Slurm of its own, and end as it ends."""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from types import FrameType

from experiments.slurm.node import find_obstacle, run_slurm


def main() -> int:
    """Start the node, run the command, and give its exit code."""
    options = _parse_arguments()
    obstacle = find_obstacle()
    if obstacle is not None:
        print(f"Slurm cannot run here: {obstacle}", file=sys.stderr)
        return 1
    signal.signal(signal.SIGTERM, _leave)
    with ExitStack() as stack:
        folder = options.folder or stack.enter_context(tempfile.TemporaryDirectory(prefix="sda-slurm-"))
        environment = stack.enter_context(run_slurm(Path(folder)))
        command = subprocess.Popen(options.command, env={**os.environ, **environment})
        signal.signal(signal.SIGTERM, lambda number, _: command.send_signal(number))
        signal.signal(signal.SIGINT, lambda *_: None)  # a terminal sends Ctrl-C to the command too
        code = command.wait()
    return code if code >= 0 else 128 - code


def _leave(number: int, frame: FrameType | None) -> None:
    sys.exit(128 + number)


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m experiments.slurm", description=__doc__)
    parser.add_argument("--folder", help="where configuration and logs are kept; without it they are thrown away")
    parser.add_argument("command", nargs=argparse.REMAINDER, help="what to run, such as: srun hostname")
    options = parser.parse_args()
    if not options.command:
        parser.error("a command is needed, such as: srun hostname")
    return options


if __name__ == "__main__":
    sys.exit(main())
