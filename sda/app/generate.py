"""`generate.py`: sounds from a trained run: new ones, given ones through the model, and the way between two."""

import secrets
from collections.abc import Callable, Iterable, Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import track

from sda.app.builders import choose_manner
from sda.app.loading import TrainedRun, open_run
from sda.app.making import NEED_TWO, NEEDS_NONE, ONE_A_SOURCE, Order, make
from sda.app.steering import build_steering, find_controls, find_known_controls, list_turned
from sda.config.schema import TrainRunConfig
from sda.config.verbs import AUTO_LENGTH, GenerateConfig, GenerateMode
from sda.config_field import list_traits
from sda.data.corpus import to_amplitude
from sda.data.walk import GENERATED_RECORD
from sda.errors import ConfigError, DataError
from sda.evaluation.controls import ProvenControls
from sda.generation.atlas import parse_places
from sda.generation.curves import load_curve
from sda.generation.synthesizer import Synthesizer
from sda.runs.generated_folder import Call, Made
from sda.runs.late_events import record
from sda.runs.outputs import (
    absolute,
    check_folder,
    claim_given,
    claim_next,
    find_places,
    refuse_among_sounds,
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
    if list_turned(config) and run.known and find_known_controls(run) is None:
        print_lines(console, ["finding this model's controls and trying them on held-out sound: a minute or two, once"])
    if list_turned(config) and run.description is not None and run.description.controls is not None:
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
        controls: the run's, where they were tried; else they are read, or tried, if the call turns any.

    Raises:
        ConfigError, DataError: as `generate_from_run`; or what `watch` raises, and then whole sounds alone are left.
    """
    config = _settle(config)
    output, default = _choose_place(run, config)
    sources = [] if config.mode in NEEDS_NONE else _list_sources(run, config)
    n = min(config.n, len(sources)) if config.mode in ONE_A_SOURCE else config.n
    is_users = output is not None and output.exists()
    synthesizer = _put_to_use(run, config, controls)
    folder = claim_given(output, GENERATED_RECORD) if output else claim_next(default, GENERATED_RECORD)
    call = Call(folder, _describe_call(run, config), n)
    try:
        call.record()
        gain = to_amplitude(run.config.data.gain_db)
        for made in watch(make(Order(synthesizer, sources, config, gain)), n):
            call.write(made, run.config.audio.sample_rate_hz, 1.0 / gain)
    except BaseException:
        call.give_back(is_users)
        raise
    return call


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
    _refuse_missing(config.source)
    traits, settled = list_traits(GenerateConfig), dict[str, Any]()
    for item in fields(config):
        given = getattr(config, item.name)
        if traits[item.name].is_curve and given is not None:
            settled[item.name] = load_curve(given, item.name, item.metadata["range"]).describe()
    return replace(config, **settled)


def _put_to_use(run: TrainedRun, config: GenerateConfig, controls: ProvenControls | None) -> Synthesizer:
    """A run's model as one call asks for it; the run is left as it was."""
    synthesizer, turned = run.synthesizer, list_turned(config)
    steering = None
    if turned:
        steering = build_steering(controls or find_controls(run), turned, is_loop=config.mode is GenerateMode.loop)
    manner = choose_manner(
        run.config,
        synthesizer,
        novelty=config.novelty,
        memory_s=config.memory_s,
        temperature=config.temperature,
    )
    return synthesizer.adapted(manner=manner, writes_noise=synthesizer.writes_noise and config.noise, steering=steering)


def _choose_place(run: TrainedRun, config: GenerateConfig) -> tuple[Path | None, Path]:
    """The folder that was given for the sounds, or nothing, and where one is made for them; no sound lies there."""
    sounds = {"the sounds that the run was trained on": run.sound_folders}
    source = absolute(config.source)
    if config.source and source.is_dir():
        sounds["source"] = [source]
    default = find_places(run.run_dir, run.is_own).generated / f"{config.mode.value}_seed_{config.seed}"
    if config.output:
        output = absolute(config.output)
        check_folder(output, f"output={config.output}", sounds)
        return output, default
    refuse_among_sounds(default, str(default), sounds)
    return None, default


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
        **_list_own_settings(config),
        "prior": {"name": run.synthesizer.prior.name, **_describe_manner(run.config, config)},
        "source": str(absolute(config.source)) if config.source else "",
        **({"data.root": run.config.data.root} if config.data.root else {}),
        "format": config.format.value,
        **_describe_rate(run.config.audio.sample_rate_hz, config.sample_rate_hz),
        "device": str(run.features.window.device),
        "versions": list_versions(run.features.window.device),
    }


def _describe_rate(own_hz: int, wanted_hz: int) -> dict[str, int]:
    """The rate of a call's files, and the model's where that is another."""
    return (
        {"sample_rate_hz": wanted_hz, "own_rate_hz": own_hz}
        if wanted_hz not in (0, own_hz)
        else {"sample_rate_hz": own_hz}
    )


def _list_own_settings(config: GenerateConfig) -> dict[str, Any]:
    """The settings of a mode that the others do not have."""
    if config.mode is GenerateMode.vary:
        return {"strength": config.strength}
    if config.mode is GenerateMode.blend:
        return {"share": config.share, "loudness": config.loudness.value}
    if config.mode is GenerateMode.transfer:
        return {"adherence": config.adherence}
    if config.mode is GenerateMode.walk:
        return {"places": config.places}
    return {}


def _describe_manner(run: TrainRunConfig, config: GenerateConfig) -> dict[str, float]:
    """What new sounds are drawn with: what was given, else what the run was configured with."""
    given = {"novelty": config.novelty, "memory_s": config.memory_s, "temperature": config.temperature}
    own = {"novelty": run.prior.novelty, "memory_s": run.prior.memory_s, "temperature": run.prior.temperature}
    return {key: own[key] if value is None else value for key, value in given.items()}


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
    if config.mode in NEED_TWO and len(sources) < 2:
        raise DataError(f"mode={config.mode.value} needs two sounds: there is one, {sources[0]}.")
    return sources
