"""`train.py`, which also writes down when it reaches each stage: a line of JSON each, in the file $BENCH_STAMPS."""

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

STAMPS = "BENCH_STAMPS"
"""Environment variable that names the file."""


def stamp(stage: str) -> None:
    """Say that a stage is over."""
    with Path(os.environ[STAMPS]).open("a") as file:
        file.write(json.dumps([stage, time.time()]) + "\n")


def stamp_around(module: Any, function: str, before: str, after: str, then: Callable[[], None] | None = None) -> None:
    """Make a module's function say when it begins (the stage `before` is over) and ends (`after` is).

    Args:
        then: called when it has ended.
    """
    call = getattr(module, function)

    def stamped(*args: Any) -> Any:
        if before:
            stamp(before)
        result = call(*args)
        stamp(after)
        if then is not None:
            then()
        return result

    setattr(module, function, stamped)


def import_training() -> None:
    """Import what the command is about to import, and follow it."""
    import sda.app.train as app

    stamp("torch")
    stamp_around(app, "build_session", before="", after="build")


def main() -> None:
    """Train as `train.py` does."""
    stamp("python")
    from sda.app import command_line
    from sda.runs import plan, prepare_data

    stamp("imports")
    stamp_around(prepare_data, "scan_folder", before="compose", after="scan")
    stamp_around(plan, "plan_run", before="", after="groups and split", then=import_training)
    command_line.train()


if __name__ == "__main__":
    main()
