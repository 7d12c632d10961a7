"""The journal: every event of a run as one line of JSON, the truth from which everything else can be made again."""

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from sda.training.metrics import Event, StepMetrics, event_to_dict

JOURNAL = "events.jsonl"
"""Name of the journal in the run's folder."""


class Journal:
    """Appends events to `events.jsonl`: each line goes to the system at once, and to the disk but for steps."""

    def __init__(self, run_dir: Path):
        self.path = run_dir / JOURNAL
        if self.path.exists():
            _drop_torn_line(self.path)
        self._file: BinaryIO = open(self.path, "ab", buffering=0)

    def __call__(self, event: Event) -> None:
        line = json.dumps({"time": time.time(), **event_to_dict(event)}, ensure_ascii=False) + "\n"
        rest = line.encode()
        while rest:  # a full disk may take only part of a line before it refuses
            rest = rest[self._file.write(rest) :]
        if not isinstance(event, StepMetrics):
            os.fsync(self._file.fileno())

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _drop_torn_line(path: Path) -> None:
    """Cut off a last line that a crash left without its end."""
    content = path.read_bytes()
    if not content.endswith(b"\n"):
        os.truncate(path, content.rfind(b"\n") + 1)


def read_journal(path: Path, offset: int = 0) -> Iterator[tuple[dict[str, Any], int]]:
    """Whole lines from a byte offset on, each with the offset behind it; a torn last line is left for later."""
    with open(path, "rb") as file:
        file.seek(offset)
        for line in file:
            if not line.endswith(b"\n"):
                return
            offset += len(line)
            yield json.loads(line), offset


def cut_journal(path: Path, step: int, epoch: int) -> None:
    """Drop what a journal tells of steps after `step` and of epochs after `epoch`: a resumed run tells it again.

    Args:
        step: optimiser steps that the checkpoint holds.
        epoch: epochs that it holds.
    """
    keep = 0
    for values, offset in read_journal(path):
        kind = values["event"]
        if kind == "StepMetrics" and values["step"] > step:
            break
        if kind == "EpochMetrics" and values["epoch"] > epoch:
            break
        keep = offset
    with open(path, "rb+") as file:
        file.truncate(keep)
        os.fsync(file.fileno())
