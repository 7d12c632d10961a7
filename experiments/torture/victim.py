"""`train.py`, which kills itself at a chosen moment: before or after the nth call of something that must be whole.

The command line is `MOMENT NUMBER ARGUMENTS…`. With `count 0` nothing dies, and the number of calls of everything goes
to the file that `SDA_TORTURE_COUNTS` names.
"""

import atexit
import functools
import json
import os
import shutil
import signal
import sys
from collections import Counter
from importlib import import_module
from pathlib import Path
from typing import Any

COUNTS = "SDA_TORTURE_COUNTS"

PLACES = {
    "write": ("pathlib", "Path.write_bytes"),
    "sync": ("os", "fsync"),
    "json": ("sda.durable", "write_json"),
    "rename": ("os", "rename"),
    "replace": ("os", "replace"),
    "remove": ("shutil", "rmtree"),
    "journal": ("sda.callbacks.journal", "Journal.__call__"),
    "batch": ("mlflow", "MlflowClient.log_batch"),
    "create": ("mlflow", "MlflowClient.create_run"),
}
"""Calls at which a process may die, by name: module and attribute. All of a run's saving goes through them."""

TRACKED_ONLY = ("batch", "create")
MOMENTS = ("before", "after", "torn")
"""`torn` dies in the middle of a line of the journal, or with half a file of tensors written."""
TEARABLE = ("write", "journal")

_calls: Counter[str] = Counter()


def main() -> None:
    """Die or count as told, and train meanwhile."""
    moment, number, *arguments = sys.argv[1:]
    place, _, when = moment.partition(":")
    for name, (module, attribute) in PLACES.items():
        if name in TRACKED_ONLY and "tracking=none" in arguments:
            continue
        if moment == "count" or name == place:
            _wrap(name, module, attribute, when, int(number))
    if moment == "count":
        atexit.register(lambda: Path(os.environ[COUNTS]).write_text(json.dumps(_calls)))
    sys.argv[1:] = arguments
    from sda.app.command_line import train

    train()


def _wrap(name: str, module: str, attribute: str, when: str, number: int) -> None:
    owner: Any = import_module(module)
    *holders, last = attribute.split(".")
    for holder in holders:
        owner = getattr(owner, holder)
    call = getattr(owner, last)

    @functools.wraps(call)
    def watched(*args: Any, **kwargs: Any) -> Any:
        if _is_of_no_run(name, args):
            return call(*args, **kwargs)
        _calls[name] += 1
        is_due = bool(when) and _calls[name] == number
        if is_due and when == "torn":
            _tear(name, args)
        if is_due and when == "before":
            _die()
        result = call(*args, **kwargs)
        if is_due:
            _die()
        return result

    setattr(owner, last, watched)


def _is_of_no_run(name: str, args: tuple[Any, ...]) -> bool:
    """Whether a file is touched that is none of a run's: the sound cache, temporary folders."""
    touched = name in ("write", "rename", "replace", "remove") and isinstance(args[0], (str, Path))
    return touched and f"{os.sep}runs{os.sep}" not in str(args[0])


def _tear(name: str, args: tuple[Any, ...]) -> None:
    if name == "journal":
        journal = args[0]
        os.write(journal._file.fileno(), b'{"event": "StepMetrics", "ste')
    else:
        path, content = args
        with open(path, "wb") as file:
            file.write(content[: len(content) // 2])
    _die()


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


assert shutil.rmtree  # imported here, so that every module finds the watched one
if __name__ == "__main__":
    main()
