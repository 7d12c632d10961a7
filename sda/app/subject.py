"""A trained model put to work: sound through it and back, training sound in other guises, its latents."""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from sda.app.builders import build_augmentation, count_chunk_samples, number_files, spread
from sda.audio.inversion import log_mel_to_waveform
from sda.audio.mel import LogMel
from sda.bootstrap import Estimate, estimate_mean, estimate_ratio, estimate_ratio_of_means
from sda.config.schema import TrainRunConfig
from sda.data.corpus import Corpus
from sda.data.split import Piece, Split
from sda.evaluation.memorisation import WINDOW_S
from sda.evaluation.reconstruction import measure_reconstruction
from sda.evaluation.sounds import Sound, cut, list_windows, spread_windows
from sda.models.mel_vae import MelVAE, Posterior
from sda.training.dataset import AudioTrainingDataset

CLIPS_AT_ONCE = 8
MOST_CONTROL_WINDOWS = 60
N_EXAMPLES = 6
"""Held-out clips to listen to."""


@dataclass(frozen=True)
class Subject:
    """A trained model with the sound that it trained on and the sound that was held out."""

    model: MelVAE
    features: LogMel
    config: TrainRunConfig
    split: Split
    corpus: Corpus
    group_of: Mapping[str, str]
    """The recording that each file belongs to, by path."""


@dataclass(frozen=True)
class Reconstruction:
    """Sound that went through the model and back."""

    held_out: dict[str, dict[str, Estimate]]
    """Measures by source: `model`, `mean_mel` (the average training spectrogram) and `ceiling` (no model)."""
    train: dict[str, dict[str, Estimate]]
    """The same for training sound, `model` and `mean_mel` alone; empty where none was looked at."""
    n_clips: dict[str, int]
    n_files: dict[str, int]
    skill: dict[str, Estimate]
    """Share of the mean spectrogram's log-mel error that the model takes away, by side."""
    error_ratio: Estimate | None
    """The model's log-mel error on held-out over that on training sound."""
    examples: list[tuple[str, Tensor, Tensor, Tensor]] = field(default_factory=list)
    """Name, original, reconstruction and ceiling of held-out clips to listen to."""


def collect_pieces(pieces: Sequence[Piece], corpus: Corpus) -> list[Sound]:
    """The sound of one side of a split, each piece under its file's name."""
    rate_hz, sounds = corpus.sample_rate_hz, []
    for piece in pieces:
        waveform = corpus.get(piece.path)
        end = len(waveform) if piece.end_s is None else round(piece.end_s * rate_hz)
        sounds.append(Sound(Path(piece.path).name, waveform[round(piece.start_s * rate_hz) : end], piece.start_s))
    return sounds


@torch.no_grad()
def reconstruct(subject: Subject, max_clips: int, with_training: bool) -> tuple[Reconstruction, list[Sound]]:
    """Push clips of both sides through the model, and judge what comes back.

    Returns:
        the judgement, and training clips as the model gives them back.
    """
    model, features = subject.model.eval(), subject.features
    n_samples = count_chunk_samples(subject.config)
    log_mel = model.standardise.mean.expand(-1, model.n_frames)[None]
    mean_mel = log_mel_to_waveform(log_mel, features, n_samples).cpu()
    measured: dict[str, dict[str, dict[str, Tensor]]] = {}
    files: dict[str, list[int]] = {}
    examples: list[tuple[str, Tensor, Tensor, Tensor]] = []
    rebuilt: list[Sound] = []
    for side in ("held_out", "train") if with_training else ("held_out",):
        pieces = subject.split.val if side == "held_out" else subject.split.train
        dataset = AudioTrainingDataset(pieces, n_samples, features.sample_rate_hz, corpus=subject.corpus)
        chosen = spread(dataset.judged, max_clips)
        clips = torch.cat([dataset.grid_chunk(index) for index in chosen])
        sources = {"model": _through_model(subject, clips), "mean_mel": mean_mel.expand_as(clips)}
        names = [Path(dataset.chunks[index].path).name for index in chosen]
        if side == "held_out":
            sources["ceiling"] = _to_sound(
                features, [features(batch) for batch in _batches(clips, features)], n_samples
            )
            shown = spread(range(len(clips)), N_EXAMPLES)
            examples = [(names[i], clips[i], sources["model"][i], sources["ceiling"][i]) for i in shown]
        else:
            rebuilt = [Sound(name, clip) for name, clip in zip(names, sources["model"], strict=True)]
        on_cpu = deepcopy(features).cpu()
        measured[side] = {name: measure_reconstruction(clips, source, on_cpu) for name, source in sources.items()}
        files[side] = number_files(dataset, chosen)
    error = "log_mel_l1_db"
    of_model = {side: (sources["model"][error].numpy(), files[side]) for side, sources in measured.items()}
    skill = {
        side: _complement(estimate_ratio(of_model[side][0], sources["mean_mel"][error].numpy(), files[side]))
        for side, sources in measured.items()
    }
    estimates = {
        side: {
            source: {name: estimate_mean(values.double().numpy(), files[side]) for name, values in measures.items()}
            for source, measures in sources.items()
        }
        for side, sources in measured.items()
    }
    return (
        Reconstruction(
            held_out=estimates["held_out"],
            train=estimates.get("train", {}),
            n_clips={side: len(numbers) for side, numbers in files.items()},
            n_files={side: len(set(numbers)) for side, numbers in files.items()},
            skill=skill,
            error_ratio=estimate_ratio_of_means(of_model["held_out"], of_model["train"]) if "train" in files else None,
            examples=examples,
        ),
        rebuilt,
    )


def vary(sounds: Sequence[Sound], config: TrainRunConfig, seed: int) -> list[Sound]:
    """Windows of training sound, every one varied as training varies it."""
    rate_hz = config.audio.sample_rate_hz
    always = replace(
        build_augmentation(config), probability=1.0, mix_same_file_probability=0.0, mix_corpus_probability=0.0
    )
    n_samples = round(WINDOW_S * rate_hz)
    windows = spread_windows(list_windows(sounds, n_samples, n_samples), MOST_CONTROL_WINDOWS)
    draws = always.draw(np.random.default_rng(seed), len(windows))
    varied = always(
        cut(sounds, windows, always.read_samples(n_samples)), draws, n_samples, torch.zeros(0, n_samples), rate_hz
    )
    return [Sound(sounds[window.sound].name, clip) for window, clip in zip(windows, varied, strict=True)]


def _complement(estimate: Estimate) -> Estimate:
    return Estimate(1.0 - estimate.value, 1.0 - estimate.high, 1.0 - estimate.low)


def _batches(clips: Tensor, features: LogMel) -> list[Tensor]:
    """A few clips at a time, on the device of the features."""
    return [batch.to(features.window.device) for batch in torch.split(clips, CLIPS_AT_ONCE)]


def _to_sound(features: LogMel, log_mels: Sequence[Tensor], n_samples: int) -> Tensor:
    """Batches of log-mel spectrograms to waveforms, `[B, n_samples]` on the CPU."""
    return torch.cat([log_mel_to_waveform(log_mel, features, n_samples).cpu() for log_mel in log_mels])


def _through_model(subject: Subject, clips: Tensor) -> Tensor:
    """What the model makes of windows as long as a chunk. `[B, T]` → `[B, T]` on the CPU."""
    model, features = subject.model, subject.features
    outputs = [model.standardise.invert(model(features(batch)).output) for batch in _batches(clips, features)]
    return _to_sound(features, outputs, clips.shape[1])


@torch.no_grad()
def encode_clips(subject: Subject, clips: Tensor) -> Posterior:
    """Posteriors of windows as long as a chunk, on the CPU. `[B, T]` → two `[B, D]`."""
    model, features = subject.model.eval(), subject.features
    parts = [model.encode(model.standardise(features(batch))) for batch in _batches(clips, features)]
    return Posterior(*(torch.cat(values).cpu() for values in zip(*parts, strict=True)))
