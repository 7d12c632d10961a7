"""`export.py`: a trained model as files that leave its run's folder."""

import re
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from rich.console import Console

from sda.app.loading import TrainedRun, open_run
from sda.app.steering import find_controls, find_known_controls
from sda.config.export import ExportConfig, ExportFormat
from sda.data.corpus import to_amplitude
from sda.errors import ConfigError, DataError
from sda.export.description import Description
from sda.export.formats import FORMATS, Write
from sda.export.nn import check_streamable, list_knobs, write_nn
from sda.export.nn_module import Knob
from sda.runs.outputs import (
    absolute,
    check_folder,
    claim_given,
    claim_next,
    find_places,
    is_empty_folder,
    refuse_among_sounds,
)
from sda.terminal import print_lines

MARK = ".export"
"""Empty file by which a call takes its folder while it writes."""
_NAME = re.compile(r"[\w][\w .-]{0,99}")


def export_run(config: ExportConfig, console: Console) -> list[Path]:
    """Write a run's model in a format into a folder of its own; what was written.

    Raises:
        CheckpointError: there is no such run, or it cannot be read.
        ConfigError: the name is none of a file, or the folder is not empty, or lies among sounds.
    """
    run = open_run(config.run, "cpu", config.checkpoint)
    description = describe_model(run, config)
    write = _choose_write(run, config, console)
    output, default = _choose_place(run, config)
    is_users = output is not None and output.exists()
    call_recordings(run, with_names=config.names)
    folder = claim_given(output, MARK) if output else claim_next(default, MARK)
    try:
        written = write(run.synthesizer, description, folder)
    finally:
        (folder / MARK).unlink(missing_ok=True)
        if not is_users and is_empty_folder(folder):
            folder.rmdir()
    print_lines(console, _tell(written))
    return written


def describe_model(run: TrainedRun, config: ExportConfig) -> Description:
    """What is said of a run's model.

    Raises:
        ConfigError: the name is none of a file.
    """
    name = config.name or run.run_dir.name
    if not _NAME.fullmatch(name):
        raise ConfigError(
            f"name={name} is no name for files: it has letters, digits, spaces, dots and hyphens, 100 at most, and "
            "begins with a letter or a digit."
        )
    return Description(
        name=name,
        epoch=run.checkpoint.progress["epoch"],
        config=run.checkpoint.config,
        license=config.license,
    )


def call_recordings(run: TrainedRun, *, with_names: bool) -> None:
    """Let the run's prior call its recordings as an export does: by number, unless they are to be named."""
    if not with_names:
        prior = run.synthesizer.prior
        prior.names = [f"recording {number}" for number in range(1, len(prior.names) + 1)]


def _choose_write(run: TrainedRun, config: ExportConfig, console: Console) -> Write:
    """What writes the format, told what it is to be like."""
    if config.format is not ExportFormat.nn:
        return FORMATS[config.format].write
    check_streamable(run.synthesizer)
    return partial(
        write_nn,
        knobs=_find_knobs(run, console),
        gain=to_amplitude(run.config.data.gain_db),
        lookahead=config.lookahead,
        n_paths=config.paths,
        path_s=config.path_s,
        seed=config.seed,
    )


def _find_knobs(run: TrainedRun, console: Console) -> list[Knob]:
    """The controls that may be turned while it plays; none where they cannot be tried any more."""
    if find_known_controls(run) is None:
        print_lines(console, ["finding this model's controls and trying them on held-out sound: a minute or two, once"])
    try:
        return list_knobs(find_controls(run))
    except DataError as error:
        print_lines(console, [f"! without level, brightness and noisiness, which cannot be tried: {error}"])
        return []


def _choose_place(run: TrainedRun, config: ExportConfig) -> tuple[Path | None, Path]:
    """The folder that was given, or nothing, and where one is made; no sound lies there."""
    sounds = {"the sounds that the run was trained on": run.sound_folders}
    default = find_places(run.run_dir, run.is_own).exports / config.format.value
    if config.output:
        output = absolute(config.output)
        check_folder(output, f"output={config.output}", sounds)
        return output, default
    refuse_among_sounds(default, str(default), sounds)
    return None, default


def _tell(written: Sequence[Path]) -> list[str]:
    return [f"{'written:' if number == 0 else '        '} {path}" for number, path in enumerate(written)]
