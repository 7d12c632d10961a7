"""Builders: from configuration sections to objects. A table maps each name to its class."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.utils.data import DataLoader

from sda.app.plan import Plan
from sda.audio.augmentation import Augmentation
from sda.audio.mel import LogMel
from sda.config.schema import ModelName, TrainRunConfig
from sda.losses.elbo import Elbo
from sda.models.mel_vae import MelVAE
from sda.training.dataset import AudioTrainingDataset, TrainLoader, create_data_loaders

MODELS = {ModelName.mel_vae: MelVAE}
"""Networks by the name that `model.name` gives them."""

JUDGED_BATCH = 32
"""Chunks that are judged or encoded at a time."""

MOST_PROBE_CHUNKS = 256
"""Training chunks judged every epoch beside the held-out ones."""


def build_features(config: TrainRunConfig) -> LogMel:
    """The mel spectrogram that the model sees."""
    audio = config.audio
    return LogMel(
        sample_rate_hz=audio.sample_rate_hz, n_fft=audio.n_fft, hop_length=audio.hop_length, n_mels=audio.n_mels
    )


def build_model(config: TrainRunConfig, features: LogMel) -> MelVAE:
    """The network, whole from the start."""
    return MODELS[config.model.name](
        n_mels=config.audio.n_mels,
        n_frames=features.n_frames(count_chunk_samples(config)),
        latent_dim=config.training.latent_dim,
        dropout=config.regularization.dropout,
    )


def build_objective(config: TrainRunConfig, model: MelVAE) -> Elbo:
    """What the network is trained to lower."""
    return Elbo(
        model.standardise,
        n_cells=config.audio.n_mels * model.n_frames,
        free_bits=config.training.free_bits,
        energy_weight=config.model.energy_weight,
    )


def build_loaders(plan: Plan) -> tuple[TrainLoader, DataLoader[Tensor]]:
    """Training and held-out chunks, every file already decoded."""
    config = plan.config
    augmentation = config.augmentation
    train_loader, val_loader = create_data_loaders(
        plan.usable_paths,
        config.training,
        Augmentation(gain_db=augmentation.gain_db, polarity=augmentation.polarity, speed=augmentation.speed),
        augmentation_probability=augmentation.probability,
        sample_rate=config.audio.sample_rate_hz,
        seed=config.seed,
        split=plan.split,
    )
    train_loader.chunks.cache.preload(plan.usable_paths)
    return train_loader, val_loader


@dataclass(frozen=True)
class FixedChunks:
    """Chunks on the fixed grid that a run returns to, with their log-mel spectrograms on the device."""

    training: list[Tensor]
    """Log-mel of all training chunks that are not mostly padding, batches `[B, M, F]`."""
    probe: list[Tensor]
    """Those of them that are judged every epoch, spread evenly."""
    held_out: list[Tensor]
    """Log-mel of all held-out chunks that are not mostly padding."""


@torch.no_grad()
def compute_fixed_chunks(
    train: AudioTrainingDataset, val: AudioTrainingDataset, features: LogMel, device: torch.device
) -> FixedChunks:
    """Compute the spectrograms of what does not change, once."""

    def log_mels(dataset: AudioTrainingDataset, indices: Sequence[int]) -> list[Tensor]:
        batches = [indices[first : first + JUDGED_BATCH] for first in range(0, len(indices), JUDGED_BATCH)]
        return [features(torch.stack([dataset.grid_chunk(index) for index in batch]).to(device)) for batch in batches]

    n_probe = min(len(val.judged), MOST_PROBE_CHUNKS)
    return FixedChunks(
        training=log_mels(train, train.judged),
        probe=log_mels(train, spread(train.judged, n_probe)),
        held_out=log_mels(val, val.judged),
    )


def spread(items: Sequence[int], n_chosen: int) -> list[int]:
    """Up to `n_chosen` of the items, spread evenly.

    >>> spread(range(10), 4)
    [0, 2, 5, 7]
    """
    n_chosen = min(len(items), n_chosen)
    return [items[index * len(items) // n_chosen] for index in range(n_chosen)]


def count_chunk_samples(config: TrainRunConfig) -> int:
    """Samples of a chunk."""
    return round(config.training.chunk_duration_s * config.audio.sample_rate_hz)
