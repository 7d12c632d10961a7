"""The data set to train on, and the loaders that deal its chunks out."""

import os
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.utils.data import DataLoader

from sda.data.cache import SoundCache
from sda.data.corpus import Corpus
from sda.data.groups import group_files
from sda.data.scan import scan_file
from sda.data.scanned import Scan
from sda.data.split import Split, split_scan
from sda.errors import DataError
from sda.training.chunk_dataset import AudioTrainingDataset, AugmentationPipeline
from sda.training.config import TrainingConfig
from sda.training.loader import TrainLoader

__all__ = ["AudioTrainingDataset", "create_data_loaders"]


def create_data_loaders(
    files: Sequence[str | os.PathLike[str]],
    config: TrainingConfig,
    augmentation_pipeline: AugmentationPipeline | None = None,
    *,
    sample_rate: int = 48000,
    seed: int = 0,
    offset_chunks: float = 0.5,
    split: Split | None = None,
    corpus: Corpus | None = None,
    device: torch.device | None = None,
) -> tuple[TrainLoader, DataLoader[Tensor]]:
    """Loaders over training and held-out files, split so that no recording is on both sides.

    The training loader visits all sound `1 + augmentation_expansion` times an epoch, in pieces as long as a step hears
    at once; the held-out one walks the fixed grid of chunks, never augmented. Both share one corpus of decoded files.

    Args:
        split: a split made before; by default the files are scanned, grouped and split here.
        corpus: decoded waveforms; the default cache if not given.
        device: where training batches are varied; the CPU if not given.

    Raises:
        DataError: the files cannot be split, or one cannot be read.
    """
    paths = [os.fspath(path) for path in files]
    corpus = Corpus(SoundCache(sample_rate_hz=sample_rate)) if corpus is None else corpus
    if split is None:
        looked_at = [scan_file(path, cache=corpus.cache) for path in paths]
        for file, _ in looked_at:
            if not file.usable:
                raise DataError(f"{file.path}: {file.reason}. Mend the file, or leave it out.")
        scan = Scan((), tuple(file for file, _ in looked_at), {file.path: acoustic for file, acoustic in looked_at})
        groups = group_files(scan, corpus.cache)
        split = split_scan(scan, groups, config.val_fraction, seed, chunk_duration_s=config.chunk_duration_s)
    chunk_samples = round(config.chunk_duration_s * sample_rate)
    train = AudioTrainingDataset(
        split.train,
        round(config.crop_duration_s * sample_rate),
        sample_rate,
        augmentation_pipeline,
        extra_visits=config.regularization.augmentation_expansion,
        offset_chunks=offset_chunks,
        seed=seed,
        corpus=corpus,
    )
    val = AudioTrainingDataset(split.val, chunk_samples, sample_rate, corpus=corpus)
    train_loader = TrainLoader(train, config.batch_size, seed, config.num_workers, device)
    return train_loader, DataLoader(val, config.batch_size, shuffle=False, num_workers=config.num_workers)
