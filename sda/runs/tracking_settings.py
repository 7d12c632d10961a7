"""What MLflow is told once about a run: its name, its parameters, its tags and its sounds."""

import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

from sda.config.model import ModelConfig
from sda.config.schema import TrainRunConfig
from sda.config_field import list_defaults, list_traits
from sda.printable import make_printable
from sda.roots import Folder, find_base, name_roots
from sda.runs.folder import CONFIG_FILE, MANIFEST, flatten
from sda.runs.plan import Plan
from sda.runs.sweep_command import list_swept, name_setting
from sda.runs.sweep_folder import read_command
from sda.tracking.delivery_state import TrackingSettings

LONGEST_FOLDER = 24
"""Characters that a run's name has of its folders'."""
LONGEST_DATASET = 400
"""Characters of the folders' names that MLflow is told; it takes 500."""
_TRAITS = list_traits(TrainRunConfig)
_DEFAULTS = list_defaults(TrainRunConfig)
_SUITS_MLFLOW = re.compile(r"[\w./ -]+", re.ASCII)


def describe_run(plan: Plan, begun: datetime) -> TrackingSettings:
    """Everything that MLflow is told of a run before its first step.

    Args:
        begun: the local time at which it begins.
    """
    tracking, scan = plan.config.tracking, plan.scan
    swept = {} if plan.sweep_dir is None else list_swept(plan.overrides, read_command(plan.sweep_dir))
    return TrackingSettings(
        uri=tracking.uri,
        experiment=tracking.experiment,
        run_name=name_run(scan.folders, plan.config.model, begun) if plan.sweep_dir is None else name_setting(swept),
        tags=_list_tags(plan, swept),
        params=choose_params(flatten(plan.resolved), swept),
        dataset={
            "name": make_printable(name_roots(scan.folders))[:LONGEST_DATASET],
            "digest": scan.fingerprint[:32],
            "source": describe_source(scan.folders),
            "profile": f'{{"num_files": {scan.file_count}, "num_chunks": {plan.config.data.n_chunks}}}',
        },
        artifacts=[CONFIG_FILE, MANIFEST],
        sweep_dir="" if plan.sweep_dir is None else str(plan.sweep_dir),
        objective=plan.config.sweep.objective,
    )


def name_run(folders: Sequence[Folder], model: ModelConfig, begun: datetime) -> str:
    r"""A run by what a person knows it by: folders of sounds, local time, model.

    Lists and legends show some twenty signs of it, in which runs must differ.

    >>> name_run(["/home/a/rain\n"], ModelConfig(), datetime(2026, 11, 29, 13, 28))
    'rain\\n · 11-29 13:28 · spectral_vae tiny'
    """
    has_sizes = _TRAITS["model.size"].only_for in ("", model.name.value)
    network = f"{model.name.value} {model.size.value}" if has_sizes else model.name.value
    sounds = make_printable(name_roots(folders))
    shown = sounds if len(sounds) <= LONGEST_FOLDER else f"{sounds[: LONGEST_FOLDER - 1]}…"
    return f"{shown} · {begun:%m-%d %H:%M} · {network}"


def describe_source(folders: Sequence[Folder]) -> str:
    """Where the sounds lie, as JSON: MLflow reads one place, of several folders the one that holds them all.

    >>> describe_source(["/a/piano", "/a/rain"])
    '{"uri": "file:///a", "folders": ["file:///a/piano", "file:///a/rain"]}'
    """
    several = {"folders": [Path(folder).as_uri() for folder in folders]} if len(folders) > 1 else {}
    return json.dumps({"uri": find_base(folders).as_uri(), **several})


def choose_params(values: Mapping[str, str], swept: Mapping[str, str]) -> dict[str, str]:
    """The keys by which runs are told apart; all others stand in the configuration that lies among the artifacts.

    A key is one of them where runs that differ in it learn something else, the model knows it, and no other key has
    its value; a detail only where it is not what it is by default.

    Args:
        values: the whole configuration, by full key.
        swept: what the sweep that the run belongs to varies: always among them.
    """
    model = values["model.name"]
    params = {key: value for key, value in values.items() if _tells_apart(key, value, model)}
    for key, value in ((key.lstrip("+"), value) for key, value in swept.items()):
        if _SUITS_MLFLOW.fullmatch(key):
            params[key] = values.get(key, value)
    return params


def _tells_apart(key: str, value: str, model: str) -> bool:
    traits = _TRAITS[key]
    is_apart = traits.compared and traits.decides and not traits.repeats and traits.only_for in ("", model)
    return is_apart and not (traits.is_detail and value == _DEFAULTS[key])


def _list_tags(plan: Plan, swept: Mapping[str, str]) -> dict[str, str]:
    """What was chosen and by which layer, what is varied, and what was left out."""
    tags = {f"chose.{choice.key}": f"{choice.value:g} ({choice.reason})" for choice in plan.choices}
    tags |= {f"swept.{key.replace('/', '.')}": value for key, value in swept.items()}
    tags |= {"preset": plan.config.preset.name, "model": plan.config.model.name.value}
    tags["validation"] = f"weak: {plan.split.weakness}" if plan.split.weakness else "whole groups of files held out"
    return tags | {
        f"quarantined.{n}": f"{file.path}: {file.reason}" for n, file in enumerate(plan.scan.quarantined[:50])
    }
