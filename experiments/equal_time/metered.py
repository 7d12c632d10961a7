"""A training command in a process of its own, whose CPU time is read while it tells what it does."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from sda.config.arguments import quote_value
from sda.tracking.journal import JOURNAL, read_lines

PROJECT = Path(__file__).parents[2]
POLL_S = 0.2
SCRIPT = "script="
TICKS_PER_S = os.sysconf("SC_CLK_TCK")


class Told(NamedTuple):
    """An event of a run, and the CPU time that its process had taken when it was read."""

    event: dict[str, Any]
    cpu_s: float


def follow_training(data: Path, run_dir: Path, overrides: Sequence[str]) -> Iterator[Told]:
    """Train, and hand out every event as it is told; the process ends with the iteration.

    Args:
        overrides: keys for `train.py`; `script=…` among them, relative to the project, takes another in its place.

    Raises:
        RuntimeError: the command failed.
    """
    run_dir.parent.mkdir(parents=True, exist_ok=True)
    given = {"data.root": data, "hydra.run.dir": run_dir}
    arguments = [f"{key}={quote_value(str(path))}" for key, path in given.items()]
    scripts = [one.removeprefix(SCRIPT) for one in overrides if one.startswith(SCRIPT)]
    arguments += ["tracking=none", *(one for one in overrides if not one.startswith(SCRIPT))]
    script = PROJECT / (scripts[-1] if scripts else "train.py")
    log = run_dir.with_suffix(".log")
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, str(script), *arguments],
            env={**os.environ, "PYTHONPATH": str(PROJECT)},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        read_to, cpu_s = 0, 0.0
        try:
            is_over = False
            while not is_over:
                time.sleep(POLL_S)
                is_over = process.poll() is not None
                cpu_s = cpu_s if is_over else read_cpu_s(process.pid)
                for event, behind in _read_new(run_dir / JOURNAL, read_to):
                    read_to = behind
                    yield Told(event, cpu_s)
        finally:
            process.kill()
            process.wait()
    if process.returncode:
        raise RuntimeError(f"{script.name} {' '.join(arguments)} failed:\n{log.read_text()[-2000:]}")


def read_cpu_s(pid: int) -> float:
    """Seconds that all threads of a process have computed, as Linux tells."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_S


def _read_new(journal: Path, offset: int) -> Iterator[tuple[dict[str, Any], int]]:
    if journal.exists():
        for event, behind in read_lines(journal, offset):
            if event is not None:
                yield event, behind
