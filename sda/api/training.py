"""Training from Python: the same layers, run and record as `sda train` has."""

import os
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from sda.api.settings import as_plain
from sda.config.arguments import write_argument
from sda.errors import ConfigError, TrainingError
from sda.roots import Folder
from sda.runs.folder import read_summary
from sda.shell import name_command

if TYPE_CHECKING:
    from sda.api.model import Model


@dataclass(frozen=True)
class Run:
    """A run that was trained."""

    folder: Path

    @property
    def summary(self) -> dict[str, Any]:
        """What it says of itself: `status`, `best_epoch`, losses, `evaluation` and more, as `summary.json` has it.

        Raises:
            DamagedError: it cannot be read.
        """
        return read_summary(self.folder)

    @property
    def status(self) -> str:
        """`finished`, or `stopped` where Ctrl-C ended it: it goes on with `train(keys={"resume": run.folder})`."""
        return str(self.summary["status"])

    @cached_property
    def model(self) -> "Model":
        """Its best epoch, loaded when it is first asked for.

        Raises:
            CheckpointError: it was stopped before there was one.
        """
        from sda.api.model import load

        return load(self.folder)

    def __repr__(self) -> str:
        return f"Run({self.folder})"


def train(
    sounds: Folder | Sequence[Folder] | None = None,
    *,
    minutes: float | None = None,
    keys: Mapping[str, Any] | None = None,
    quiet: bool = False,
) -> Run:
    """Train a model on folders of sounds, as `sda train` does: presets, configuration files and tracking included.

    Ctrl-C, or interrupting a notebook's kernel, finishes the step and saves; in a thread of its own a training hears no
    signals. As on the command line, the random numbers of Python, NumPy and torch are seeded anew.

    Args:
        sounds: the folder, or a list of several; left out where a key says what is trained on, such as `resume`.
        minutes: the time that it may take; without it, the number of files decides the epochs.
        keys: of `sda train`, as they are written there, such as
            `{"preset": "conservative", "regularization.dropout": 0.3}`.
        quiet: print nothing.

    Raises:
        ConfigError: a key is unknown, or its value is of the wrong type or out of range.
        DataError: the sounds cannot be used as asked.
        TrainingError: it diverged, or the disk did not take all of it.
        KeyboardInterrupt: it was interrupted twice, and stopped without saving.
    """
    began = time.monotonic()
    if sounds is not None and not isinstance(sounds, str | os.PathLike | list | tuple):
        raise ConfigError(f"sounds={sounds}: give a folder, or a list of folders.")
    given = dict(keys or {})
    for key, value in {"data.root": sounds, "training.minutes": minutes}.items():
        if value is not None and key in given:
            raise ConfigError(f"{key}={given[key]} is given twice: leave it out of keys.")
        given |= {} if value is None else {key: value}
    if "hydra.mode" in given:
        raise ConfigError(
            f"hydra.mode={given['hydra.mode']}: sweeps are the command line's: {name_command('train')} -m"
        )
    arguments = [write_argument(key, as_plain(value)) for key, value in given.items()]
    from sda.app.command_line import train_one
    from sda.app.hydra_call import give_own_errors
    from sda.app.train import EXIT_STOPPED_AT_ONCE, EXIT_UNSAVED

    with give_own_errors("train"):
        trained = train_one(arguments, choose_console(quiet), began)
    assert trained is not None
    if trained.exit_code == EXIT_STOPPED_AT_ONCE:
        raise KeyboardInterrupt
    if trained.exit_code == EXIT_UNSAVED:
        raise TrainingError(
            f"the disk did not take all of {trained.run_dir}. Make room, and go on: "
            f"train(keys={{'resume': {str(trained.run_dir)!r}}})"
        )
    return Run(trained.run_dir)


def choose_console(quiet: bool) -> Console:
    """Where the front door prints: as the command line does, in a notebook as plain lines; or nowhere."""
    return Console(file=sys.stdout, force_jupyter=False, quiet=quiet)
