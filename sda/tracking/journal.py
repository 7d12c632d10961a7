"""The journal: every event of a run as one line of JSON, the truth from which everything else can be made again.

Each line ends in the CRC-32 of what stands before it: a line that is torn or was damaged on the disk is told from a
whole one, and left out when the journal is read.
"""

import json
import math
import os
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, TypedDict

from sda.durable import write_bytes
from sda.errors import DamagedError
from sda.plain_files import open_plain, open_to_append, truncate
from sda.stored import parse_stored, take_shape
from sda.training.events import EpochMetrics, Event, StepMetrics, event_to_dict
from sda.training.metrics import MetricsHistory

JOURNAL = "events.jsonl"
"""Name of the journal in the run's folder."""
_CHECKSUM = ', "crc32": '


class _Line(TypedDict):
    event: str
    time: float


class _Step(_Line):
    step: int
    epoch: int


class _Epoch(_Line):
    epoch: int


class _SecondPhase(_Line):
    step: int


_SHAPES: dict[str, type] = {"StepMetrics": _Step, "EpochMetrics": _Epoch, "SecondPhaseStarted": _SecondPhase}
"""What is read of a line by its event, where that is more than of any."""
_LENGTH_OF_CHECKSUM = len(_CHECKSUM) + len('"01234567"}')


class Journal:
    """Appends events to `events.jsonl`: each line goes to the system at once, and to the disk but for steps.

    What the disk does not take waits in memory and is tried again with the next event; `problem` says why. A journal
    whose folder is removed in mid-run is begun anew.
    """

    def __init__(self, run_dir: Path):
        self.path = run_dir / JOURNAL
        self.problem = ""
        """Why the end of the journal is not on disk; empty where it is."""
        if self.path.exists():
            _drop_torn_line(self.path)
        self._waiting = b""
        self._loss = ""
        """What cannot be made good any more."""
        self._file: BinaryIO = open_to_append(self.path)

    def __call__(self, event: Event) -> None:
        self._waiting += encode_line({"time": time.time(), **event_to_dict(event)})
        self._write(is_urgent=not isinstance(event, StepMetrics))

    def close(self) -> None:
        """Write what is waiting, and close the file."""
        self._write(is_urgent=True)
        self._file.close()

    def _write(self, *, is_urgent: bool) -> None:
        try:
            while self._waiting:  # a full disk may take only part of a line before it refuses
                self._waiting = self._waiting[self._file.write(self._waiting) :]
            if is_urgent:
                os.fsync(self._file.fileno())
                self._see_that_it_is_there()
        except OSError as error:
            self.problem = error.strerror or str(error)
        else:
            self.problem = self._loss

    def _see_that_it_is_there(self) -> None:
        """Begin a new file where this one was removed; what was in it is gone."""
        if self.path.exists():
            return
        self._loss = "it was removed while the run went on"
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._file.close()
        self._file = open_to_append(self.path)


def encode_line(values: dict[str, Any]) -> bytes:
    """A line of the journal.

    >>> encode_line({"event": "Warned"})
    b'{"event": "Warned", "crc32": "6afd4402"}\\n'
    """
    content = json.dumps(values, ensure_ascii=False)[:-1]
    return f'{content}{_CHECKSUM}"{zlib.crc32(content.encode()):08x}"}}\n'.encode()


def decode_line(line: bytes) -> dict[str, Any] | None:
    """What a line says, its checksum left out; nothing where it is damaged, torn, or tells of no event."""
    content, checksum = line[: -_LENGTH_OF_CHECKSUM - 1], line[-_LENGTH_OF_CHECKSUM - 1 :]
    if checksum != f'{_CHECKSUM}"{zlib.crc32(content):08x}"}}\n'.encode():
        return None
    try:
        values = parse_stored(content + b"}", dict[str, Any], "a line")
        take_shape(values, _SHAPES.get(str(values.get("event")), _Line), "a line")
    except DamagedError:  # a checksum is no seal: anybody can write a line that has a right one
        return None
    return values if math.isfinite(values["time"]) else None


def read_lines(path: Path, offset: int = 0) -> Iterator[tuple[dict[str, Any] | None, int]]:
    """Lines from a byte offset on, each with the offset behind it: what it says, or nothing where it is damaged.

    A torn last line is left for later: its end may be on its way.
    """
    with open_plain(path) as file:
        file.seek(offset)
        for line in file:
            if not line.endswith(b"\n"):
                return
            offset += len(line)
            yield decode_line(line), offset


def read_journal(path: Path) -> Iterator[dict[str, Any]]:
    """What the whole lines of a journal say, in order."""
    return (values for values, _ in read_lines(path) if values is not None)


def cut_journal(path: Path, step: int, epoch: int, history: MetricsHistory) -> int:
    """Cut a journal back to a checkpoint, for a run that tells the rest again; what is damaged before it is mended.

    Steps and epochs whose lines are damaged are written anew, from the checkpoint's history. Other events are lost.

    Args:
        step: optimiser steps that the checkpoint holds.
        epoch: epochs that it holds.

    Returns:
        how many damaged lines there were.

    Raises:
        OSError: the journal is a link, or cannot be written.
    """
    kept, n_damaged, keep_bytes = [], 0, 0
    for values, offset in read_lines(path):
        if values is None:
            n_damaged += 1
            continue
        if _is_beyond(values, step, epoch):
            break
        kept.append(values)
        keep_bytes = offset
    missing = _find_missing(kept, step, epoch, history)
    if n_damaged == 0 and not missing:
        truncate(path, keep_bytes)
        return 0
    write_bytes(path, b"".join(encode_line(values) for values in _merge(kept, missing)))
    return max(n_damaged, len(missing))


def _is_beyond(values: dict[str, Any], step: int, epoch: int) -> bool:
    kind = values["event"]
    return bool(
        (kind == "StepMetrics" and values["step"] > step)
        or (kind == "EpochMetrics" and values["epoch"] > epoch)
        or (kind == "SecondPhaseStarted" and values["step"] >= step)  # told before its first step, and so told again
    )


def _find_missing(kept: list[dict[str, Any]], step: int, epoch: int, history: MetricsHistory) -> list[Event]:
    """Steps and epochs that the history knows and the lines do not, in order."""
    told_steps = {values["step"] for values in kept if values["event"] == "StepMetrics"}
    told_epochs = {values["epoch"] for values in kept if values["event"] == "EpochMetrics"}
    missing: list[Event] = [one for one in history.step_metrics if one.step <= step and one.step not in told_steps]
    missing += [one for one in history.epoch_metrics if one.epoch <= epoch and one.epoch not in told_epochs]
    return sorted(missing, key=_place)


def _merge(kept: list[dict[str, Any]], missing: list[Event]) -> Iterator[dict[str, Any]]:
    """The lines with the missing events in their places, told at the time of the line before them."""
    waiting, moment = list(missing), 0.0
    for values in kept:
        if values["event"] in ("StepMetrics", "EpochMetrics"):
            is_epoch = values["event"] == "EpochMetrics"
            place = (values["epoch"], is_epoch, 0 if is_epoch else values["step"])
            while waiting and _place(waiting[0]) < place:
                yield {"time": moment or values["time"], **event_to_dict(waiting.pop(0))}
        moment = values["time"]
        yield values
    for event in waiting:
        yield {"time": moment, **event_to_dict(event)}


def _place(event: Event) -> tuple[int, bool, int]:
    """Where a step or an epoch stands in a run: the steps of an epoch, then the epoch itself."""
    assert isinstance(event, (StepMetrics, EpochMetrics))
    return event.epoch, isinstance(event, EpochMetrics), getattr(event, "step", 0)


def _drop_torn_line(path: Path) -> None:
    """Cut off a last line that a crash left without its end."""
    with open_plain(path) as file:
        content = file.read()
    if not content.endswith(b"\n"):
        truncate(path, content.rfind(b"\n") + 1)
