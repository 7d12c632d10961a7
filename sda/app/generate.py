"""`generate.py`: sounds from a trained run: new ones, given ones through the model, and the way between two."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from rich.console import Console
from rich.progress import track
from torch import Tensor

from sda.app.loading import TrainedRun, open_run
from sda.app.recording import record
from sda.app.report import print_lines
from sda.app.survey import build_cache, scan_given
from sda.audio.io import load_audio
from sda.audio.wav import save_wav
from sda.config.schema import GenerateConfig, GenerateMode
from sda.data.split import split_from_facts
from sda.durable import write_json
from sda.errors import DataError
from sda.generation.voice import Voice, generate_sound, morph, reconstruct_sound
from sda.training.metrics import Generated

GENERATED = "generated"
RECORD = "generated.json"
"""What each file is, in the folder beside them."""
MOST_TOLD = 16
"""Sounds that MLflow gets; all lie in the run's folder."""


@dataclass(frozen=True)
class Made:
    """One sound, and what it was made of."""

    waveform: Tensor
    sources: list[str]
    """Paths; empty for a new sound."""


def generate_from_run(config: GenerateConfig, console: Console) -> None:
    """Write `n` WAV files into `generated/<mode>_seed_<seed>` in the run's folder, or into `output`.

    What is written depends on the run and on `mode`, `seed`, the sound's number and `source` alone, bit for bit.

    Raises:
        CheckpointError: there is no such run, or it cannot be read.
        DataError: a source is missing or is no sound.
    """
    if config.source and config.mode is GenerateMode.sample:
        raise DataError(f"source={config.source} has no use with mode=sample: use mode=reconstruct or interpolate.")
    run = open_run(config.run, config.device, config.checkpoint)
    rate_hz = run.config.audio.sample_rate_hz
    n_samples = max(1, round(config.duration_s * rate_hz))
    sources = [] if config.mode is GenerateMode.sample else _list_sources(run, config)
    default = run.run_dir / GENERATED / f"{config.mode.value}_seed_{config.seed}"
    folder = Path(config.output).expanduser().absolute() if config.output else default
    makers = {
        GenerateMode.sample: _sample,
        GenerateMode.reconstruct: _reconstruct,
        GenerateMode.interpolate: _interpolate,
    }
    n = min(config.n, len(sources)) if config.mode is GenerateMode.reconstruct else config.n
    files = []
    sounds = makers[config.mode](run.voice, sources, n_samples, config)
    for number, made in enumerate(track(sounds, "generating", total=n, console=console), start=1):
        path = folder / f"sound_{number:03d}.wav"
        save_wav(path, made.waveform.numpy(), rate_hz)
        files.append({"file": path.name, "sources": made.sources})
    epoch = run.checkpoint.progress["epoch"]
    facts = {"run": str(run.run_dir), "epoch": epoch, "mode": config.mode.value, "seed": config.seed}
    write_json(folder / RECORD, {**facts, "files": files})
    paths = [str(folder / str(file["file"])) for file in files[:MOST_TOLD]]
    event = Generated(epoch, config.mode.value, config.seed, len(files), config.duration_s, str(folder), paths)
    print_lines(console, record(run.run_dir, event))
    print_lines(console, [f"written: {len(files)} sounds in {folder}"])


def _list_sources(run: TrainedRun, config: GenerateConfig) -> list[str]:
    """Sound files to start from: `source`, a file or all usable ones below a folder, or what the run held out."""
    if not config.source:
        sources = list(dict.fromkeys(piece.path for piece in split_from_facts(run.checkpoint.facts["split"]).val))
        gone = [path for path in sources if not Path(path).is_file()]
        if gone:
            raise DataError(f"the run's held-out file {gone[0]} is gone. Give other sound: source=FILE_OR_FOLDER.")
        return sources
    source = Path(config.source).expanduser()
    if source.is_file():
        return [str(source)]
    return [file.path for file in scan_given("source", str(source), build_cache(run.config)).usable]


def _sample(voice: Voice, sources: list[str], n_samples: int, config: GenerateConfig) -> Iterator[Made]:
    for number in range(1, config.n + 1):
        yield Made(generate_sound(voice, n_samples, seed=config.seed, number=number), [])


def _reconstruct(voice: Voice, sources: list[str], n_samples: int, config: GenerateConfig) -> Iterator[Made]:
    for source in sources[: config.n]:
        yield Made(reconstruct_sound(voice, _load(voice, source)[:n_samples]), [source])


def _interpolate(voice: Voice, sources: list[str], n_samples: int, config: GenerateConfig) -> Iterator[Made]:
    """From one source to the next, each for the whole length; the last one goes back to the first."""
    if len(sources) < 2:
        raise DataError(f"mode=interpolate needs two sounds to go between: there is one, {sources[0]}.")
    n_points = voice.count_points(n_samples)
    for number in range(config.n):
        pair = [sources[(number + place) % len(sources)] for place in (0, 1)]
        start, end = (voice.encode(_load(voice, path)[:n_samples]) for path in pair)
        yield Made(voice.render(morph(start, end, n_points), n_samples), pair)


def _load(voice: Voice, path: str) -> Tensor:
    return torch.from_numpy(load_audio(path, voice.features.sample_rate_hz))
