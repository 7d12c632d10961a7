"""`train.py`, which kills itself at a chosen moment: before or after the nth call of something that must be whole.

It runs in a process forked from one that has imported torch, because importing takes longer than the training does.
"""

import functools
import json
import multiprocessing
import os
import signal
import sys
from collections import Counter
from importlib import import_module
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

PLACES = {
    "write": ("pathlib", "Path.write_bytes"),
    "sync": ("os", "fsync"),
    "rename": ("os", "rename"),
    "replace": ("os", "replace"),
    "remove": ("shutil", "rmtree"),
    "journal": ("sda.tracking.journal", "Journal.__call__"),
    "batch": ("mlflow", "MlflowClient.log_batch"),
    "create": ("mlflow", "MlflowClient.create_run"),
}
"""Calls at which a process may die, by name: module and attribute. All of a run's saving goes through them."""

TRACKED_ONLY = ("batch", "create")
TEARABLE = ("write", "journal")
"""What may also die half done: a file of tensors, a line of the journal."""
COUNT = "count"
"""Stands for a place where nothing dies, and for a file to which the number of all calls goes."""
COUNTS = "counts.json"

_PRELOADED = ["torch", "torchaudio", "matplotlib.figure", "sda.app.command_line", "sda.app.train", "sda.runs.sync"]

_calls: Counter[str] = Counter()


def start_training(
    arguments: list[str], folder: Path, log: Path, *, place: str = "", when: str = "", number: int = 0
) -> BaseProcess:
    """Run the verb train with its arguments in a process of its own, in a folder.

    Args:
        log: what is printed is added to it.
        place: where it dies, a name in `PLACES`; `COUNT` only counts.
        when: `before`, `after`, or `torn` in the middle of a write.
        number: at which call, from 1.
    """
    death = {"place": place, "when": when, "number": number}
    return _start(_train, arguments, folder, log, **death)


def start_sync(folder: Path, log: Path) -> BaseProcess:
    """`make sync` in a process of its own, in a folder."""
    return _start(_sync, folder, log)


def _start(target: Any, *args: Any, **kwargs: Any) -> BaseProcess:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(_PRELOADED)
    process = context.Process(target=target, args=args, kwargs=kwargs)
    process.start()
    return process


def _train(arguments: list[str], folder: Path, log: Path, *, place: str, when: str, number: int) -> None:
    _enter(folder, log)
    for name, (module, attribute) in PLACES.items():
        if place == name or (place == COUNT and name not in TRACKED_ONLY):
            _wrap(name, module, attribute, when, number)
    sys.argv = ["train.py", *arguments]
    from sda.app.command_line import train

    try:
        train()
    finally:
        if place == COUNT:
            (folder / COUNTS).write_text(json.dumps(_calls))


def _sync(folder: Path, log: Path) -> None:
    _enter(folder, log)
    from sda.runs.sync import sync_runs

    print("\n".join(sync_runs()), flush=True)


def _enter(folder: Path, log: Path) -> None:
    os.chdir(folder)
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for stream in (sys.stdout, sys.stderr):
        os.dup2(output, stream.fileno())


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
        os.write(args[0]._file.fileno(), b'{"event": "StepMetrics", "ste')
    else:
        path, content = args
        with open(path, "wb") as file:
            file.write(content[: len(content) // 2])
    _die()


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)
