"""`export.py`: a trained model as files that leave its run's folder."""

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console

from sda.app.loading import TrainedRun, open_run
from sda.app.steering import find_controls, find_known_controls
from sda.config.export import ExportConfig
from sda.data.walk import EVALUATION_RECORD
from sda.errors import ConfigError, DamagedError, DataError
from sda.evaluation.controls import ProvenControls
from sda.export.description import NAME, Description, hide_places, show_recordings
from sda.export.formats import FORMATS
from sda.export.mlflow_model import list_tags, name_uses
from sda.report.model_card import Evaluated, read_verdict, write_card
from sda.roots import find_base, split_roots
from sda.runs.folder import read_durations
from sda.runs.outputs import (
    choose_place,
    claim_given,
    claim_next,
    find_evaluation,
    find_places,
    is_empty_folder,
)
from sda.stored import pass_over
from sda.terminal import print_lines
from sda.tracking.registry import ExportedModel, Registered, choose_registry, register_model

MARK = ".export"
"""Empty file by which a call takes its folder while it writes."""


def export_run(config: ExportConfig, console: Console) -> list[Path]:
    """Write a run's model in a format into a folder of its own, with its card; what was written, the model first.

    Raises:
        CheckpointError: there is no such run, or it cannot be read.
        ConfigError: the name is none of a file, or the folder is not empty, or lies among sounds.
        TrackingError: it was not registered; what was written is whole.
    """
    run = open_run(config.run, "cpu", config.checkpoint)
    form = FORMATS[config.format]
    form.check(run.synthesizer)
    registry = choose_registry(run.run_dir, config.registry_uri) if config.register else None
    print_lines(console, [f"! {notice}" for notice in registry.notices] if registry else [])
    controls = _try_controls(run, console) if form.turns_controls else find_known_controls(run)
    description = describe_model(run, controls, name=config.name, license=config.license, with_names=config.names)
    description = replace(description, holds_sound=description.holds_sound and form.keeps_prior)
    output, default = _choose_place(run, config)
    is_users = output is not None and output.exists()
    folder = claim_given(output, MARK) if output else claim_next(default, MARK)
    try:
        written = form.write(run.synthesizer, description, folder, **form.settings(config))
        written = [*written, *write_card(folder, description, run.synthesizer, form, written[0].name)]
    finally:
        (folder / MARK).unlink(missing_ok=True)
        if not is_users and is_empty_folder(folder):
            folder.rmdir()
    print_lines(console, [*_warn(description), *_tell(written)])
    if registry is not None:
        tags = list_tags(description, _name_run(run))
        exported = ExportedModel(folder, written, description.epoch, tags, description.verdict)
        print_lines(console, _tell_registered(register_model(registry, config.register, exported)))
    return written


def describe_model(
    run: TrainedRun,
    controls: ProvenControls | None,
    *,
    name: str = "",
    license: str = "",
    with_names: bool = False,
) -> Description:
    """What is said of a run's model; from now on its prior calls its recordings as the export does.

    Args:
        controls: as they were found and tried; nothing where they were not.
        name: of the model; that of the run's folder or file if empty.
        license: what others may do with it; of a model file what it says if empty.
        with_names: whether recordings are called by their names, as far as those are known.

    Raises:
        ConfigError: the name is none of a file.
        DamagedError: the run's manifest is damaged.
    """
    former, prior = run.description, run.synthesizer.prior
    name = name or (run.run_dir.name if former is None else former.name)
    if not NAME.fullmatch(name):
        raise ConfigError(
            f"name={name} is no name for files: give letters, digits, spaces, dots and hyphens, 100 at most, of which "
            "the first is a letter or a digit."
        )
    files = run.checkpoint.facts["files"] if former is None else former.files
    base = find_base(split_roots(run.checkpoint.config["data"]["root"]))
    own = {path: os.path.relpath(path, base) if former is None else path for path in files}
    every = list(dict.fromkeys([*prior.names, *own.values()]))
    called = dict(zip(every, show_recordings(every, with_names=with_names), strict=True))
    prior.names = [called[one] for one in prior.names]
    shown = {path: called[one] for path, one in own.items()}
    groups = run.group_of if former is None else former.groups
    numbers = {group: str(number) for number, group in enumerate(dict.fromkeys(groups.values()), 1)}
    split = _call_again(run.checkpoint.facts["split"], shown)
    said = Description(
        name=name,
        epoch=run.checkpoint.progress["epoch"],
        config=hide_places(run.checkpoint.config),
        license=" ".join(license.split()),
        has_names=with_names and (former is None or former.has_names),
        holds_sound=prior.holds_sound,
        files={shown[path]: sha256 for path, sha256 in files.items()},
        groups={shown[path]: numbers[group] for path, group in groups.items() if path in shown},
        split=split,
        controls=controls,
    )
    if former is not None:
        return replace(
            said,
            license=said.license or former.license,
            durations_s=former.durations_s,
            label=former.label,
            verdict=former.verdict,
            figures=former.figures,
        )
    evaluated = _find_evaluation(run)
    return replace(
        said,
        durations_s=_measure_sides(run.checkpoint.facts["split"], read_durations(run.run_dir)),
        label=evaluated.label,
        verdict=evaluated.verdict,
        figures=evaluated.figures,
    )


def _call_again(split: Mapping[str, Any], shown: Mapping[str, str]) -> dict[str, Any]:
    """A split as checkpoints have it, by what recordings are called."""
    sides = {side: [[shown[path], *rest] for path, *rest in split[side]] for side in ("train", "val")}
    return {**sides, "weakness": split["weakness"], "set_aside": [shown[path] for path in split["set_aside"]]}


def _measure_sides(split: Mapping[str, Any], durations_s: Mapping[str, float]) -> dict[str, float]:
    """Seconds on either side; empty where they are not known of every file."""
    sides = {}
    for side in ("train", "val"):
        lengths = [
            (durations_s.get(path, math.nan) if end_s is None else end_s) - start_s
            for path, start_s, end_s in split[side]
        ]
        sides[side] = round(sum(lengths), 3)
    return sides if all(math.isfinite(one) for one in sides.values()) else {}


def _find_evaluation(run: TrainedRun) -> Evaluated:
    """What the run's newest evaluation says, if it is of the state that is exported."""
    folder = find_evaluation(run.run_dir)
    if folder is None:
        return Evaluated()
    try:
        return read_verdict(folder / EVALUATION_RECORD, run.checkpoint.progress["epoch"])
    except DamagedError as damage:
        pass_over(damage)
        return Evaluated()


def _try_controls(run: TrainedRun, console: Console) -> ProvenControls | None:
    """The model's controls, found and tried now if they were not before; nothing where they cannot be any more."""
    if find_known_controls(run) is None:
        print_lines(console, ["finding this model's controls and trying them on held-out sound: a minute or two, once"])
    try:
        return find_controls(run)
    except DataError as error:
        print_lines(console, [f"! without level, brightness and noisiness, which cannot be tried: {error}"])
        return None


def _choose_place(run: TrainedRun, config: ExportConfig) -> tuple[Path | None, Path]:
    """The folder that was given, or nothing, and where one is made; no sound lies there."""
    sounds = {"the sounds that the run was trained on": run.sound_folders}
    default = find_places(run.run_dir, run.is_own).exports / config.format.value
    return choose_place(config.output, default, sounds), default


def _warn(description: Description) -> list[str]:
    """What whoever gives the files away should know."""
    lines = []
    if description.holds_sound:
        lines.append(
            "! it holds a bank of latents: the sounds that it learned from, compressed; they can be heard again from it"
        )
    if not description.license:
        lines.append('! it says nothing of what others may do with it: license="…" does')
    return lines


def _name_run(run: TrainedRun) -> str:
    """A run by the last parts of its folder, or a model file by its name."""
    return run.run_dir.name if run.description else f"{run.run_dir.parent.name}/{run.run_dir.name}"


def _tell_registered(registered: Registered) -> list[str]:
    """What was registered, and how it is used."""
    name, version, uri, notices = registered
    return [
        *(f"! {notice}" for notice in notices),
        f"registered: {name} version {version} in {uri}",
        *(f"            {line}" for line in name_uses(name, version, uri)),
    ]


def _tell(written: Sequence[Path]) -> list[str]:
    return [f"{'written:' if number == 0 else '        '} {path}" for number, path in enumerate(written)]
