"""Evaluating from Python: what `sda evaluate` does, and its figures."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sda.api.settings import settle, spell_roots
from sda.api.training import Run, choose_console
from sda.errors import ConfigError
from sda.plain_files import read_json
from sda.report.evaluation_values import PAGE, VALUES

if TYPE_CHECKING:
    from sda.api.model import Model


@dataclass(frozen=True)
class Evaluation:
    """What was measured, and where it was written."""

    folder: Path
    values: dict[str, Any]
    """All of `evaluation.json`: the page on reading a report says what each key means."""

    @property
    def page(self) -> Path:
        """The page with every new sound beside its nearest source."""
        return self.folder / PAGE

    @property
    def verdict(self) -> str:
        """In one sentence."""
        return str(self.values["verdict"]["headline"])

    def __getitem__(self, key: str) -> Any:
        """A figure by its key, such as `memorisation.replay_rate`, or a section of them.

        Raises:
            KeyError: there is no such key.
        """
        value: Any = self.values
        for part in key.split("."):
            if not isinstance(value, dict) or part not in value:
                raise KeyError(key)
            value = value[part]
        return value

    def __repr__(self) -> str:
        return f"Evaluation({self.verdict} {self.page})"


def evaluate(
    run: "str | os.PathLike[str] | Run | Model | None" = None, *, quiet: bool = False, **settings: Any
) -> Evaluation:
    """What a run learned, and whether what it makes is new: all that `sda evaluate` measures, in some minutes.

    Args:
        run: its name as of `load`, or what `train` or `load` gave; left out where folders are compared.
        quiet: print nothing.
        settings: keys of `sda evaluate`, such as `n_generated`; without a run, `reference` and `generated`.

    Raises:
        CheckpointError: there is no such run, or it cannot be read.
        ConfigError: a key is unknown or out of range, or neither a run nor folders are given.
        DataError: a file is gone or has changed, or a folder holds no sound.
    """
    name = str(getattr(run, "folder", run) or "")
    root = settings.pop("root", None)
    if "data" in settings:
        raise ConfigError("data is no setting here: give root, where the sounds of the run lie now.")
    config = settle("evaluate", {**settings, "run": name, **({"data": {"root": spell_roots(root)}} if root else {})})
    folders = [config.reference, config.generated]
    if bool(name) == any(folders) or (not name and not all(folders)):
        raise ConfigError("give either a run, or two folders: reference= (real sound) and generated=.")
    from sda.app.evaluate import evaluate_folders, evaluate_runs

    console = choose_console(quiet)
    folder = evaluate_runs([name], config, console)[0] if name else evaluate_folders(config, console)
    values: dict[str, Any] = read_json(folder / VALUES)
    return Evaluation(folder, values)
