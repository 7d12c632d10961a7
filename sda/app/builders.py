"""Builders: from configuration sections to objects. A table maps each name to its class."""

import os
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils.data import DataLoader

from sda.audio.augmentation import Augmentation
from sda.audio.masking import SpectrogramMask
from sda.audio.mel import LogMel
from sda.audio.span import find_sound
from sda.audio.waveform import read_waveform
from sda.config.model import ModelName, ModelSize, PriorName
from sda.config.schema import TrainRunConfig
from sda.data.corpus import Corpus
from sda.data.split import Split
from sda.errors import CheckpointError, ConfigError
from sda.evaluation.trained_model import TrainedModel
from sda.generation.mel_synthesizer import MelSynthesizer
from sda.generation.spectral_synthesizer import SpectralSynthesizer
from sda.generation.synthesizer import Synthesizer, TrainingSound
from sda.losses.elbo import Elbo
from sda.losses.objective import Objective
from sda.losses.spectral import SpectralObjective
from sda.models.autoencoder import Autoencoder
from sda.models.mel_vae import MelVAE
from sda.models.priors.density import Density
from sda.models.priors.mosaic import Mosaic
from sda.models.priors.prior import Manner, Prior
from sda.models.spectral_vae import SpectralVAE
from sda.roots import find_base, split_roots
from sda.runs.plan import Plan
from sda.runs.prepare_data import build_cache
from sda.training.checkpoint import Checkpoint
from sda.training.dataset import create_data_loaders
from sda.training.device import place
from sda.training.loader import TrainLoader
from sda.training.state import list_tensors

SIZES = {
    ModelSize.tiny: {"channels": 96, "n_encoder_blocks": 2, "n_latent_blocks": 1, "n_decoder_blocks": 4},
    ModelSize.small: {"channels": 176, "n_encoder_blocks": 2, "n_latent_blocks": 1, "n_decoder_blocks": 6},
    ModelSize.base: {"channels": 336, "n_encoder_blocks": 3, "n_latent_blocks": 2, "n_decoder_blocks": 8},
}
"""What `model.size` stands for: about 1, 3 and 13 million parameters."""


def build_features(config: TrainRunConfig, device: torch.device) -> LogMel:
    """The mel spectrogram that the model sees, computed on its device."""
    audio = config.audio
    features = LogMel(
        sample_rate_hz=audio.sample_rate_hz, n_fft=audio.n_fft, hop_length=audio.hop_length, n_mels=audio.n_mels
    )
    return features.to(device)


def build_model(config: TrainRunConfig, features: LogMel, device: torch.device) -> Autoencoder:
    """The network, whole from the start, on its device."""
    return place(NETWORKS[config.model.name].build(config, features), device)


def check_fit(config: TrainRunConfig, features: LogMel, checkpoint: Checkpoint) -> None:
    """See that a checkpoint holds the network that its configuration describes, before any of it takes memory.

    Raises:
        CheckpointError: it holds another one.
    """
    try:
        with torch.device("meta"):  # where some ways to make a tensor import torch's compiler, which takes seconds
            expected = list_tensors(NETWORKS[config.model.name].build(config, features))
    except (ConfigError, ValueError, RuntimeError, ArithmeticError) as error:
        raise CheckpointError(f"{checkpoint.folder}: its configuration describes no network ({error}).") from error
    checkpoint.check_tensors(expected)


def _construct_mel_vae(config: TrainRunConfig, features: LogMel) -> MelVAE:
    return MelVAE(
        n_mels=config.audio.n_mels,
        n_frames=features.n_frames(config.chunk_samples),
        latent_dim=config.training.latent_dim,
        dropout=config.regularization.dropout,
    )


def _construct_spectral_vae(config: TrainRunConfig, features: LogMel) -> SpectralVAE:
    return SpectralVAE(
        features=features,
        latent_dim=config.training.latent_dim,
        stride=config.model.frames_per_latent,
        dropout=config.regularization.dropout,
        bounded=config.model.bounded,
        noise=config.model.noise,
        **SIZES[config.model.size],
    )


def _construct_elbo(config: TrainRunConfig, model: MelVAE) -> Elbo:
    return Elbo(
        model.standardise,
        n_cells=config.audio.n_mels * model.n_frames,
        free_bits=config.training.free_bits,
        energy_weight=config.model.energy_weight,
    )


def _construct_spectral_objective(config: TrainRunConfig, model: SpectralVAE) -> SpectralObjective:
    return SpectralObjective(
        sample_rate_hz=config.audio.sample_rate_hz,
        weights=asdict(config.model.losses),
        kl_weight=config.model.kl_weight,
        free_bits=config.training.free_bits,
    )


class Network(NamedTuple):
    """What is built of a choice of `model.name`; objective and synthesizer are given what was built."""

    build: Callable[[TrainRunConfig, LogMel], Autoencoder]
    objective: Callable[[TrainRunConfig, Any], Objective]
    synthesizer: Callable[[Any, LogMel, Prior], Synthesizer]


NETWORKS = {
    ModelName.mel_vae: Network(_construct_mel_vae, _construct_elbo, MelSynthesizer),
    ModelName.spectral_vae: Network(_construct_spectral_vae, _construct_spectral_objective, SpectralSynthesizer),
}
"""A row for each model; what choosing it sets stands in `sda/config/model.py`."""


def build_objective(config: TrainRunConfig, model: Autoencoder) -> Objective:
    """What the network is trained to lower."""
    return NETWORKS[config.model.name].objective(config, model)


PRIORS: dict[PriorName, type[Prior]] = {PriorName.mosaic: Mosaic, PriorName.density: Density}
"""Priors by the name that `prior.name` gives them."""


def build_prior(config: TrainRunConfig, name: PriorName | None = None) -> Prior:
    """Where new paths come from, before it is fitted.

    Args:
        name: that of a prior that was stored, in place of the one that is configured.
    """
    return PRIORS[name or config.prior.choose(config.model.name)](config.training.latent_dim)


def build_synthesizer(config: TrainRunConfig, model: Autoencoder, features: LogMel, prior: Prior) -> Synthesizer:
    """The network put to use."""
    synthesizer = NETWORKS[config.model.name].synthesizer(model, features, prior)
    synthesizer.manner = choose_manner(config, synthesizer)
    return synthesizer


def choose_manner(
    config: TrainRunConfig,
    synthesizer: Synthesizer,
    *,
    novelty: float | None = None,
    memory_s: float | None = None,
    temperature: float | None = None,
) -> Manner:
    """How new sounds are drawn: as the run was configured, but for what is given."""
    prior = config.prior
    memory_s = prior.memory_s if memory_s is None else memory_s
    return Manner(
        novelty=prior.novelty if novelty is None else novelty,
        memory=max(1, round(memory_s * synthesizer.features.sample_rate_hz / synthesizer.hop_samples)),
        temperature=prior.temperature if temperature is None else temperature,
    )


def list_training_sounds(split: Split, corpus: Corpus, root: str) -> list[TrainingSound]:
    """What a prior is fitted to: the sound of every segment that was trained on, by its path below `root`.

    Args:
        root: the folder, or several, see `sda.roots`: names then begin below the one that holds them all.
    """
    base, rate_hz, sounds = find_base(split_roots(root)), corpus.sample_rate_hz, []
    for segment in split.train:
        waveform = corpus.get(segment.path)
        first = round(segment.start_s * rate_hz)
        stretch = waveform[first : None if segment.end_s is None else round(segment.end_s * rate_hz)]
        begin, end = find_sound(read_waveform(stretch)[None])[0].tolist()
        if end > 0:
            name = os.path.relpath(segment.path, base)
            sounds.append(TrainingSound(name, stretch[begin:end], (first + begin) / rate_hz))
    return sounds or [TrainingSound("silence", torch.zeros(round(rate_hz)))]


def build_augmentation(config: TrainRunConfig) -> Augmentation:
    """How training chunks are varied."""
    augmentation = config.augmentation
    return Augmentation(
        probability=augmentation.probability,
        strength=config.regularization.augmentation_strength,
        gain_db=augmentation.gain_db,
        polarity_probability=augmentation.polarity_probability,
        speed_probability=augmentation.speed_probability,
        speed_ratio=augmentation.speed_ratio,
        tilt_probability=augmentation.tilt_probability,
        tilt_db=augmentation.tilt_db,
        phase_probability=augmentation.phase_probability,
        mix_same_file_probability=augmentation.mix_same_file_probability,
        mix_corpus_probability=augmentation.mix_corpus_probability,
        mix_db=augmentation.mix_db,
    )


def build_mask(config: TrainRunConfig) -> SpectrogramMask:
    """What the encoder does not get to hear."""
    augmentation, strength = config.augmentation, config.regularization.augmentation_strength
    frames = strength * augmentation.time_mask_s * config.audio.sample_rate_hz / config.audio.hop_length
    return SpectrogramMask(
        time_probability=augmentation.time_mask_probability,
        time_frames=max(1, round(frames)),
        band_probability=augmentation.band_mask_probability,
        bands=max(1, round(strength * augmentation.band_mask_bands)),
    )


def build_loaders(plan: Plan, device: torch.device) -> tuple[TrainLoader, DataLoader[Tensor]]:
    """Training and held-out chunks, every file mapped or on the device."""
    config = plan.config
    known = {file.path: file.sha256 for file in plan.scan.usable}
    corpus = Corpus(build_cache(config), known, config.data.gain_db)
    used = [*plan.split.train_paths, *plan.split.val_paths]
    corpus.preload(list(dict.fromkeys(used)), device if config.training.num_workers == 0 else torch.device("cpu"))
    return create_data_loaders(
        used,
        config.training,
        build_augmentation(config),
        sample_rate=config.audio.sample_rate_hz,
        seed=config.seed,
        offset_chunks=config.augmentation.offset_chunks,
        split=plan.split,
        corpus=corpus,
        device=device,
    )


def build_trained_model(
    config: TrainRunConfig, synthesizer: Synthesizer, split: Split, corpus: Corpus, group_of: Mapping[str, str]
) -> TrainedModel:
    """What is evaluated.

    Args:
        group_of: the recording that each file belongs to, by path.
    """
    return TrainedModel(
        synthesizer, synthesizer.features, build_augmentation(config), config.chunk_samples, split, corpus, group_of
    )
