"""A trained model put to work: sound through it and back, training sound in other guises, its latents."""

import math
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import Tensor

from sda.audio.augmentation import Augmentation
from sda.audio.inversion import log_mel_to_waveform
from sda.audio.mel import MIN_MAGNITUDE, LogMel
from sda.audio.span import find_sound
from sda.bootstrap import Estimate, FloatArray, estimate_mean, estimate_ratio, estimate_ratio_of_means
from sda.data.bandwidth import Spectrometer
from sda.data.corpus import Corpus
from sda.data.split import Segment, Split
from sda.evaluation.reconstruction import measure_reconstruction
from sda.evaluation.sounds import Sound, cut, list_windows, trim
from sda.generation.synthesizer import Synthesizer
from sda.models.latents import Posterior
from sda.parallel import map_in_threads
from sda.subsample import subsample_evenly
from sda.training.chunk_dataset import number_files
from sda.training.dataset import AudioTrainingDataset

SIDES = ("held_out", "train")
CLIPS_AT_ONCE = 8
MOST_CONTROL_WINDOWS = 60
MOST_AVERAGED_CHUNKS = 512
Advance = Callable[[float], None]
ERROR = "log_mel_l1_db"
"""The measure that skill and error ratio are taken from."""
N_EXAMPLES = 6
"""Held-out clips to listen to."""


@dataclass(frozen=True)
class TrainedModel:
    """A trained model with the sound that it trained on and the sound that was held out."""

    synthesizer: Synthesizer
    features: LogMel
    augmentation: Augmentation
    """As training varied its chunks."""
    chunk_samples: int
    split: Split
    corpus: Corpus
    group_of: Mapping[str, str]
    """The recording that each file belongs to, by path."""


@dataclass(frozen=True)
class Reconstruction:
    """Sound that went through the model and back."""

    held_out: dict[str, dict[str, Estimate]]
    """Measures by source: `model`, `drawn`, `mean_mel` (the average training spectrogram) and `ceiling` (no model).

    `model` is the deterministic part of what the model makes; `drawn` is all of it, where the rest is noise.
    """
    train: dict[str, dict[str, Estimate]]
    """The same for training sound, `model` and `mean_mel` alone; empty where none was looked at."""
    n_clips: dict[str, int]
    n_files: dict[str, int]
    skill: dict[str, Estimate]
    """Share of the mean spectrogram's log-mel error that the model takes away, by side."""
    error_ratio: Estimate | None
    """The model's log-mel error on held-out over that on training sound."""
    by_file: dict[str, dict[str, float]] = field(default_factory=dict)
    """Held-out files by path: the model's measures, means over the file's `n_clips`."""
    examples: list[tuple[str, Tensor, Tensor, Tensor]] = field(default_factory=list)
    """Name, original, reconstruction and ceiling of held-out clips to listen to."""
    edge_hz: float = math.inf
    """Where the corpus ends: above, its spectrum is empty, and nothing is judged."""


def collect_segments(segments: Sequence[Segment], corpus: Corpus, names: Mapping[str, str]) -> list[Sound]:
    """The sound of one side of a split, each segment under its file's name; silence at its ends is left out.

    Args:
        names: of files by path, see `Split.names`: what has one name is one recording.
    """
    return [trim(sound, corpus.sample_rate_hz) for sound in collect_whole(segments, corpus, names)]


def collect_whole(segments: Sequence[Segment], corpus: Corpus, names: Mapping[str, str]) -> list[Sound]:
    """The same with the silence at its ends."""
    rate_hz, sounds = corpus.sample_rate_hz, []
    for segment in segments:
        waveform = corpus.get(segment.path)
        end = len(waveform) if segment.end_s is None else round(segment.end_s * rate_hz)
        stretch = waveform[round(segment.start_s * rate_hz) : end]
        sounds.append(Sound(names[segment.path], stretch, segment.start_s))
    return sounds


def reconstruct(
    trained: TrainedModel, max_clips: int, sides: Sequence[str] = SIDES, advance: Advance = lambda _: None
) -> tuple[Reconstruction, list[Sound]]:
    """Push clips of one or both sides through the model, and judge what comes back.

    Args:
        sides: `held_out`, and `train` or not.
        advance: told now and then how much of it is done, in [0, 1].

    Returns:
        the judgement, and training clips as the model gives them back.
    """
    edge_hz = _find_edge_hz(trained)
    rebuilt = {
        side: _rebuild(trained, side, max_clips, edge_hz, _within(advance, number, len(sides)))
        for number, side in enumerate(sides)
    }
    held_out, train = rebuilt["held_out"], rebuilt.get("train")
    reconstruction = Reconstruction(
        held_out=held_out.estimate(),
        train=train.estimate() if train else {},
        n_clips={side: len(one.files) for side, one in rebuilt.items()},
        n_files={side: len(set(one.files)) for side, one in rebuilt.items()},
        skill={side: one.estimate_skill() for side, one in rebuilt.items()},
        error_ratio=estimate_ratio_of_means(held_out.errors, train.errors) if train else None,
        by_file=held_out.list_by_file(),
        examples=held_out.examples,
        edge_hz=edge_hz,
    )
    return reconstruction, train.sounds if train else []


def _within(advance: Advance, part: int, n_parts: int) -> Advance:
    """Tells of the whole what is told of one of its parts."""
    return lambda share: advance((part + share) / n_parts)


@dataclass(frozen=True)
class _Rebuilt:
    """One side, through the model and back."""

    measures: dict[str, dict[str, Tensor]]
    """By source, then by measure, one number a clip."""
    files: list[int]
    """The file of each clip, by number."""
    paths: list[str]
    """The path of each clip's file."""
    sounds: list[Sound]
    """What the model made of the clips."""
    examples: list[tuple[str, Tensor, Tensor, Tensor]]

    @property
    def errors(self) -> tuple[FloatArray, list[int]]:
        """The model's log-mel error of every clip, and the file of each."""
        return self.measures["model"][ERROR].double().numpy(), self.files

    def estimate(self) -> dict[str, dict[str, Estimate]]:
        """Means with their intervals over files."""
        return {
            source: {name: estimate_mean(values.double().numpy(), self.files) for name, values in measures.items()}
            for source, measures in self.measures.items()
        }

    def list_by_file(self) -> dict[str, dict[str, float]]:
        """The model's measures by file, means over its clips, with `n_clips`."""
        found: dict[str, dict[str, float]] = {}
        for path in dict.fromkeys(self.paths):
            clips = [place for place, other in enumerate(self.paths) if other == path]
            means = {name: float(values[clips].mean()) for name, values in self.measures["model"].items()}
            found[path] = {"n_clips": len(clips), **means}
        return found

    def estimate_skill(self) -> Estimate:
        """Share of the mean spectrogram's error that the model takes away."""
        left = estimate_ratio(self.errors[0], self.measures["mean_mel"][ERROR].double().numpy(), self.files)
        return Estimate(1.0 - left.value, 1.0 - left.high, 1.0 - left.low)


@torch.no_grad()
def _rebuild(trained: TrainedModel, side: str, max_clips: int, edge_hz: float, advance: Advance) -> _Rebuilt:
    synthesizer, features = trained.synthesizer, trained.features
    n_samples = trained.chunk_samples
    segments = trained.split.val if side == "held_out" else trained.split.train
    dataset = AudioTrainingDataset(segments, n_samples, features.sample_rate_hz, corpus=trained.corpus)
    chosen = subsample_evenly(dataset.judged, max_clips)
    name_of = trained.split.names
    names = [name_of[dataset.chunks[index].path] for index in chosen]
    clips = torch.cat([dataset.grid_chunk(index) for index in chosen])
    sound = find_sound(clips)
    sound[:, 1] += n_samples * (sound[:, 1] == 0)  # of a clip that is silent throughout, all is looked at
    parts: dict[str, list[Tensor]] = {"model": [], "drawn": [], "ceiling": []}
    for number, batch in enumerate(torch.split(clips, CLIPS_AT_ONCE)):
        advance(number * CLIPS_AT_ONCE / len(clips))
        parts["model"].append(synthesizer.reconstruct(batch))
        if synthesizer.writes_noise:
            parts["drawn"].append(synthesizer.reconstruct(batch, seed=number * CLIPS_AT_ONCE))
        if side == "held_out":
            parts["ceiling"].append(_to_sound(features, features(batch.to(features.window.device)), n_samples))
    found = {name: torch.cat(batches) for name, batches in parts.items() if batches}
    ceiling = {"ceiling": found.pop("ceiling")} if "ceiling" in found else {}
    mean_mel = _to_sound(features, _average(trained), n_samples).expand_as(clips)
    sources = {**found, "mean_mel": mean_mel, **ceiling}
    made = sources.get("drawn", sources["model"])
    on_cpu = deepcopy(features).cpu()
    shown = subsample_evenly(range(len(clips)), N_EXAMPLES) if side == "held_out" else []

    def measure(source: Tensor) -> dict[str, Tensor]:
        return measure_reconstruction(clips, source, on_cpu, sound, edge_hz)

    return _Rebuilt(
        measures=dict(zip(sources, map_in_threads(measure, sources.values()), strict=True)),
        files=number_files(dataset, chosen),
        paths=[str(dataset.chunks[index].path) for index in chosen],
        sounds=[
            Sound(name, clip[first:last]) for name, clip, (first, last) in zip(names, made, sound.tolist(), strict=True)
        ],
        examples=[(names[i], clips[i], made[i], sources["ceiling"][i]) for i in shown],
    )


def _find_edge_hz(trained: TrainedModel) -> float:
    """Where the sounds that were trained on and held out end."""
    rate_hz = trained.features.sample_rate_hz
    spectrometer, n_samples = Spectrometer(rate_hz), trained.chunk_samples
    for segments in (trained.split.train, trained.split.val):
        dataset = AudioTrainingDataset(segments, n_samples, rate_hz, corpus=trained.corpus)
        for index in subsample_evenly(dataset.judged, MOST_AVERAGED_CHUNKS):
            spectrometer.add(dataset.grid_chunk(index)[0].numpy())
    return spectrometer.find_edge_hz() or math.inf


@torch.no_grad()
def _average(trained: TrainedModel) -> Tensor:
    """The mean log-mel spectrum of training sound, silence left out, held for a chunk, `[1, M, F]`."""
    features, n_samples = trained.features, trained.chunk_samples
    dataset = AudioTrainingDataset(trained.split.train, n_samples, features.sample_rate_hz, corpus=trained.corpus)
    total, n_frames = torch.zeros(features.n_mels), 0
    for index in subsample_evenly(dataset.judged, MOST_AVERAGED_CHUNKS):
        heard = features.extract(*(values.to(features.window.device) for values in dataset.grid_chunks([index])))
        sounding = heard.log_mel[0, :, heard.sounding[0]].cpu()
        total, n_frames = total + sounding.sum(dim=1), n_frames + sounding.shape[1]
    mean = total / n_frames if n_frames else torch.full_like(total, math.log(MIN_MAGNITUDE))
    return mean.to(features.window.device)[None, :, None].expand(-1, -1, features.n_frames(n_samples))


def vary(sounds: Sequence[Sound], augmentation: Augmentation, rate_hz: int, seed: int, window_s: float) -> list[Sound]:
    """Windows of training sound, every one varied as training varies it."""
    always = replace(augmentation, probability=1.0, mix_same_file_probability=0.0, mix_corpus_probability=0.0)
    n_samples = round(window_s * rate_hz)
    windows = subsample_evenly(list_windows(sounds, n_samples, n_samples), MOST_CONTROL_WINDOWS)
    draws = always.draw(np.random.default_rng(seed), len(windows))
    varied = always(
        cut(sounds, windows, always.read_samples(n_samples)), draws, n_samples, torch.zeros(0, n_samples), rate_hz
    )
    return [Sound(sounds[window.sound].name, clip) for window, clip in zip(windows, varied, strict=True)]


@torch.no_grad()
def encode_clips(trained: TrainedModel, clips: Tensor) -> Posterior:
    """Posteriors of windows as long as a chunk, on the CPU. `[B, T]` → two `[B, D, K]`."""
    parts = [trained.synthesizer.posterior(batch) for batch in torch.split(clips, CLIPS_AT_ONCE)]
    return Posterior(*(torch.cat(values) for values in zip(*parts, strict=True)))


def _to_sound(features: LogMel, log_mel: Tensor, n_samples: int) -> Tensor:
    """`[B, M, F]` → `[B, n_samples]` on the CPU."""
    return log_mel_to_waveform(log_mel, features, n_samples).cpu()
