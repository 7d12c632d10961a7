"""`generate.py`: sounds from a trained run: new ones, given ones through the model, and the way between two."""

import secrets
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import track

from sda.app.builders import choose_manner
from sda.app.loading import TrainedRun, open_run
from sda.app.making import DRAW_NEW, NEED_TWO, NEEDS_NONE, Order, make
from sda.app.steering import (
    build_steering,
    build_wanted,
    find_controls,
    find_known_controls,
    list_turned,
    needs_controls,
)
from sda.audio.given import GivenSound, SoundFile
from sda.config.verbs import AUTO_LENGTH, GenerateConfig, GenerateMode
from sda.config_field import list_traits
from sda.data.corpus import to_amplitude
from sda.data.walk import GENERATED_RECORD
from sda.errors import ConfigError, DataError
from sda.evaluation.controls import ProvenControls
from sda.generation.atlas import parse_places
from sda.generation.curves import load_curve
from sda.generation.synthesizer import Synthesizer
from sda.generation.wanted import Wanted, parse_wanted, spell_wanted
from sda.runs.generated_folder import Call, Made
from sda.runs.generated_settings import describe_files, describe_manner, list_own_settings
from sda.runs.late_events import record
from sda.runs.outputs import (
    absolute,
    choose_place,
    claim_given,
    claim_next,
    find_places,
)
from sda.runs.prepare_data import build_cache, scan_given
from sda.runs.versions import list_versions
from sda.terminal import print_lines
from sda.training.checkpoint import hash_file
from sda.training.events import Generated

MOST_TOLD = 16
"""Sounds that MLflow gets; all lie in the call's folder."""


Watch = Callable[[Iterator[Made], int], Iterable[Made]]
"""Hands on the sounds of a call, so many in all, as they are asked for, and may say so or stop them on the way."""


def generate_from_run(config: GenerateConfig, console: Console) -> None:
    """Write `n` WAV files into a new folder: below `generated` in the run's folder, or `output`.

    What is written depends on the run and on `mode`, `seed`, the sound's number and `source` alone, bit for bit.

    Raises:
        CheckpointError: there is no such run, or it cannot be read.
        ConfigError: the folder is not empty, or lies among sounds.
        DataError: a source is missing or is no sound.
    """
    config = _settle(config)
    run = open_run(config.run, config.device, config.checkpoint, config.data.root)
    if needs_controls(config) and run.known and find_known_controls(run) is None:
        print_lines(console, ["finding this model's controls and trying them on held-out sound: a minute or two, once"])
    if needs_controls(config) and run.description is not None and run.description.controls is not None:
        print_lines(console, [f"! what its controls do, and how well, is as the file says: {run.run_dir}"])
    call = generate_with(run, config, lambda sounds, n: track(sounds, "generating", total=n, console=console))
    print_lines(console, record(run.run_dir, _describe_event(run, call, config)))
    n_silent = sum(file.get("n_silent_draws", 0) for file in call.files)
    if n_silent:
        print_lines(console, [f"! drawn again, as nothing could be heard: {n_silent} times"])
    print_lines(console, [f"written: {call.n} sound{'s'[: call.n - 1]} in {call.folder}"])


def generate_with(
    run: TrainedRun, config: GenerateConfig, watch: Watch, controls: ProvenControls | None = None
) -> Call:
    """The same with a run that is open already, and nobody told of it; the run is left as it was.

    Args:
        controls: the run's, where they were tried; else they are read, or tried, if the call needs any.

    Raises:
        ConfigError, DataError: as `generate_from_run`; or what `watch` raises, and then whole sounds alone are left.
    """
    config = _settle(config)
    output, default = _choose_place(run, config)
    order = order_sounds(run, config, controls)
    is_users = output is not None and output.exists()
    folder = claim_given(output, GENERATED_RECORD) if output else claim_next(default, GENERATED_RECORD)
    call = Call(folder, _describe_call(run, config), order.n)
    try:
        call.record()
        for made in watch(make(order), order.n):
            call.write(made, run.config.audio.sample_rate_hz, 1.0 / order.gain)
    except BaseException:
        call.give_back(is_users)
        raise
    return call


def order_sounds(
    run: TrainedRun,
    config: GenerateConfig,
    controls: ProvenControls | None = None,
    given: Sequence[GivenSound] | None = None,
) -> Order:
    """What a call asks of a run, checked: its model as it is put to use, and what it starts from. Nothing is written.

    Args:
        controls: as of `generate_with`.
        given: what to start from; else what `source` names, or what the run held out.

    Raises:
        ConfigError, DataError: as `generate_with`.
    """
    config = _settle(config)
    sources: Sequence[GivenSound] = []
    if config.mode not in NEEDS_NONE:
        sources = [SoundFile(path) for path in _list_sources(run, config)] if given is None else given
    if config.mode in NEED_TWO and len(sources) < 2:
        raise DataError(f"mode={config.mode.value} needs two sounds: there is one, {sources[0].name}.")
    if controls is None and needs_controls(config):
        controls = find_controls(run)
    synthesizer, wanted = _put_to_use(run, config, controls)
    return Order(synthesizer, sources, config, to_amplitude(run.config.data.gain_db), wanted)


def _settle(config: GenerateConfig) -> GenerateConfig:
    """The same with what stands in a file written out, as a record has it, once a mode has use for all that is given.

    Raises:
        ConfigError: something is no curve, leaves what is allowed, or has no use.
        DataError: a source has no use, or is not there.
    """
    if config.source and config.mode in NEEDS_NONE:
        raise DataError(
            f"source={config.source} has no use with mode={config.mode.value}: use mode=continue, vary, blend, "
            "reconstruct, interpolate or transfer."
        )
    if config.duration_s == AUTO_LENGTH and config.mode is not GenerateMode.sample:
        raise ConfigError(f"duration_s=auto has no use with mode={config.mode.value}: give seconds.")
    if config.mode is GenerateMode.walk:
        parse_places(config.places)
    if config.wanted and config.mode not in DRAW_NEW:
        raise ConfigError(
            f"wanted={config.wanted} has no use with mode={config.mode.value}, which draws nothing to choose from: "
            f"use {' or '.join(f'mode={mode.value}' for mode in DRAW_NEW)}."
        )
    _refuse_missing(config.source)
    traits, settled = list_traits(GenerateConfig), dict[str, Any]()
    for item in fields(config):
        given = getattr(config, item.name)
        if traits[item.name].is_curve and given is not None:
            settled[item.name] = load_curve(given, item.name, item.metadata["range"]).describe()
    if config.wanted:
        settled["wanted"] = spell_wanted(parse_wanted(config.wanted))
    return replace(config, **settled)


def _put_to_use(
    run: TrainedRun, config: GenerateConfig, controls: ProvenControls | None
) -> tuple[Synthesizer, Wanted | None]:
    """A run's model as one call asks for it, and what its sounds shall be like; the run is left as it was."""
    synthesizer, turned, is_loop = run.synthesizer, list_turned(config), config.mode is GenerateMode.loop
    steering = wanted = None
    if controls is not None and turned:
        steering = build_steering(controls, turned, is_loop=is_loop)
    if controls is not None and config.wanted:
        gain = to_amplitude(run.config.data.gain_db)
        wanted = build_wanted(controls, config.wanted, turned, gain=gain, is_loop=is_loop)
    manner = choose_manner(
        run.config,
        synthesizer,
        novelty=config.novelty,
        memory_s=config.memory_s,
        temperature=config.temperature,
    )
    writes_noise = synthesizer.writes_noise and config.noise
    return synthesizer.adapted(manner=manner, writes_noise=writes_noise, steering=steering), wanted


def _choose_place(run: TrainedRun, config: GenerateConfig) -> tuple[Path | None, Path]:
    """The folder that was given for the sounds, or nothing, and where one is made for them; no sound lies there."""
    sounds = {"the sounds that the run was trained on": run.sound_folders}
    source = absolute(config.source)
    if config.source and source.is_dir():
        sounds["source"] = [source]
    default = find_places(run.run_dir, run.is_own).generated / f"{config.mode.value}_seed_{config.seed}"
    return choose_place(config.output, default, sounds), default


def _describe_call(run: TrainedRun, config: GenerateConfig) -> dict[str, Any]:
    """What is needed to make a call's sounds again."""
    checkpoint = run.checkpoint
    return {
        "run": str(run.run_dir),
        "epoch": checkpoint.progress["epoch"],
        **({} if checkpoint.is_file else {"checkpoint": checkpoint.folder.name}),
        "checkpoint_sha256": hash_file(checkpoint.tensors_path),
        "mode": config.mode.value,
        "seed": config.seed,
        "n": config.n,
        "duration_s": config.duration_s,
        "noise": run.synthesizer.writes_noise and config.noise,
        **list_turned(config),
        **list_own_settings(config),
        "prior": {"name": run.synthesizer.prior.name, **describe_manner(run.config, config)},
        "source": str(absolute(config.source)) if config.source else "",
        **({"data.root": run.config.data.root} if config.data.root else {}),
        **describe_files(run.config.audio.sample_rate_hz, config),
        "device": str(run.features.window.device),
        "versions": list_versions(run.features.window.device),
    }


def _describe_event(run: TrainedRun, call: Call, config: GenerateConfig) -> Generated:
    """What the journal and MLflow are told; folders that users gave may have the same name."""
    is_numbered = call.folder.parent == find_places(run.run_dir, run.is_own).generated
    return Generated(
        epoch=call.facts["epoch"],
        mode=config.mode.value,
        seed=config.seed,
        n=len(call.files),
        duration_s=0.0 if config.duration_s == AUTO_LENGTH else float(config.duration_s),
        folder=str(call.folder),
        audio_paths=[str(call.folder / file["file"]) for file in call.files[:MOST_TOLD]],
        name=call.folder.name if is_numbered else f"{call.folder.name}-{secrets.token_hex(3)}",
        record_path=str(call.folder / GENERATED_RECORD),
    )


def _refuse_missing(source: str) -> None:
    """Refuse a source that is not there, before anything that takes long.

    Raises:
        DataError: it is not.
    """
    if source and not absolute(source).exists():
        kind = "file" if Path(source).suffix else "folder"
        raise DataError(f"source={source}: there is no such {kind}. Give a sound file, or a folder of them.")


def _list_sources(run: TrainedRun, config: GenerateConfig) -> list[str]:
    """Sound files to start from: `source`, a file or all usable ones below a folder, or what the run held out."""
    if not config.source and run.description is not None and not config.data.root:
        raise DataError(
            f"{run.run_dir} holds a model and not its recordings. Give the sound yourself: source=FILE_OR_FOLDER, or "
            "the folder with what it was trained on: data.root=FOLDER."
        )
    if not config.source and not run.is_own and not config.data.root:
        raise DataError(
            f"{run.run_dir} was not begun by this installation: the files that it names may be any of yours. Give the "
            "sound yourself: source=FILE_OR_FOLDER, or the folder with what it was trained on: data.root=FOLDER."
        )
    if not config.source:
        sources = list(dict.fromkeys(segment.path for segment in run.split.val))
        gone = [path for path in sources if not Path(path).is_file()]
        if gone:
            raise DataError(
                f"the run's held-out file {gone[0]} is gone. If the sounds have moved, say where to: data.root=FOLDER; "
                "or give other sound: source=FILE_OR_FOLDER."
            )
    elif absolute(config.source).is_file():
        sources = [str(absolute(config.source))]
    else:
        sources = [file.path for file in scan_given("source", config.source, build_cache(run.config)).usable]
    return sources
