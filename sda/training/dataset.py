"""Chunks of waveform to train on, and the loaders that deal them out.

Every random draw of an item follows from `(seed, epoch, index)` alone: the order of work, the number of workers and
an interruption change nothing. The mel spectrogram is computed in the training step, on the device.
"""

import math
import os
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from sda.audio.io import FloatArray, expected_samples, get_metadata
from sda.data.cache import WaveformCache
from sda.data.scan import scan_file
from sda.data.split import Split, split_files
from sda.errors import DataError
from sda.training.config import TrainingConfig

AUGMENTATION_PROBABILITY = 0.5
"""Chance that a training chunk is augmented, unless told otherwise."""


@runtime_checkable
class SeededAugmentation(Protocol):
    """An augmentation that takes its randomness from outside and says how much it needs to read."""

    def read_samples(self, n_samples: int) -> int:
        """Samples to read so that `n_samples` come out."""

    def __call__(self, waveform: Tensor, rng: np.random.Generator, /) -> Tensor:
        """Vary `[1, T]`."""


AugmentationPipeline = SeededAugmentation | Callable[[Tensor], Tensor]
"""A seeded augmentation, or any function from waveform `[1, T]` to waveform."""


class AudioTrainingDataset(Dataset[Tensor]):
    """Pairs of file and chunk start, indexed from the files' headers; each item a mono waveform.

    Items `0 … n_chunks − 1` lie on a fixed grid, `ceil(total_samples / chunk_samples)` a file, the last chunk
    zero-padded. Each of the `extra_visits` after them visits every chunk again, starting up to half a chunk earlier or
    later, inside the file.

    Shape:
        item `[1, chunk_samples]`, float32.

    Args:
        file_paths: the sound files.
        chunk_samples: length of an item, samples at `sample_rate`.
        sample_rate: rate that files are converted to, Hz.
        augmentation_pipeline: varies a chunk, drawn with `augmentation_probability`; `None` never does.
        extra_visits: visits to every chunk beside the one on the grid.
        seed: decides offsets and augmentations, together with `epoch`.
        cache: decoded waveforms to share; a new one by default.

    Raises:
        DataError: there are no files, or one has no readable header.
    """

    def __init__(
        self,
        file_paths: Sequence[str | os.PathLike[str]],
        chunk_samples: int = 48000,
        sample_rate: int = 48000,
        augmentation_pipeline: AugmentationPipeline | None = None,
        *,
        augmentation_probability: float = AUGMENTATION_PROBABILITY,
        extra_visits: int = 0,
        seed: int = 0,
        cache: WaveformCache | None = None,
    ):
        if not file_paths:
            raise DataError("no sound files were given. Give at least one.")
        self.chunk_samples = chunk_samples
        self.sample_rate = sample_rate
        self.augmentation_pipeline = augmentation_pipeline
        self.augmentation_probability = augmentation_probability
        self.extra_visits = extra_visits
        self.seed = seed
        self.epoch = 0
        self.cache = WaveformCache(sample_rate) if cache is None else cache
        self.chunks: list[tuple[str, int]] = []
        """Path and first sample of every grid chunk."""
        self.judged: list[int] = []
        """Grid chunks worth judging by: at least half sound, or all that their file has."""
        for path in (os.fspath(file_path) for file_path in file_paths):
            metadata = get_metadata(path)
            n_samples = expected_samples(metadata.n_frames, metadata.sample_rate_hz, sample_rate)
            starts = range(0, math.ceil(n_samples / chunk_samples) * chunk_samples, chunk_samples)
            self.judged += [
                len(self.chunks) + number
                for number, start in enumerate(starts)
                if start == 0 or n_samples - start >= chunk_samples / 2
            ]
            self.chunks += [(path, start) for start in starts]

    @property
    def n_chunks(self) -> int:
        """Chunks on the grid."""
        return len(self.chunks)

    def __len__(self) -> int:
        return self.n_chunks * (1 + self.extra_visits)

    def grid_chunk(self, chunk: int) -> Tensor:
        """A chunk on the grid as it is in the file, `[1, chunk_samples]`."""
        path, start = self.chunks[chunk]
        return _fit(_read(self.cache.get(path), start, self.chunk_samples), self.chunk_samples)

    def __getitem__(self, index: int) -> Tensor:
        if not 0 <= index < len(self):
            raise IndexError(index)
        visit, chunk = divmod(index, self.n_chunks)
        path, start = self.chunks[chunk]
        rng = np.random.default_rng((self.seed, self.epoch, index))
        augment = self.augmentation_pipeline if rng.random() < self.augmentation_probability else None
        n_read = self.chunk_samples
        if isinstance(augment, SeededAugmentation):
            n_read = augment.read_samples(self.chunk_samples)
        waveform = self.cache.get(path)
        if visit > 0:
            offset = round(rng.uniform(-0.5, 0.5) * self.chunk_samples)
            start = max(0, min(start + offset, len(waveform) - n_read))
        piece = _read(waveform, start, n_read)
        if isinstance(augment, SeededAugmentation):
            piece = augment(piece, rng)
        elif augment is not None:
            piece = augment(piece)
        return _fit(piece, self.chunk_samples)


class EpochSampler(Sampler[int]):
    """A permutation of the items for every epoch, from `(seed, epoch)`, that can start in the middle."""

    def __init__(self, n_items: int, seed: int):
        self.n_items = n_items
        self.seed = seed
        self.epoch = 0
        self.first_item = 0

    def __len__(self) -> int:
        return self.n_items

    def __iter__(self) -> Iterator[int]:
        order = np.random.default_rng((self.seed, self.epoch)).permutation(self.n_items)
        return iter(order[self.first_item :].tolist())


class TrainLoader(DataLoader[Tensor]):
    """Shuffled batches `[B, 1, T]` of one epoch at a time; the last of an epoch may be smaller."""

    def __init__(self, dataset: AudioTrainingDataset, batch_size: int, seed: int, num_workers: int):
        self.chunks = dataset
        self.order = EpochSampler(len(dataset), seed)
        # Every iterator draws a seed for its workers; from the global generator, a continued run would differ.
        generator = torch.Generator()
        super().__init__(dataset, batch_size, sampler=self.order, num_workers=num_workers, generator=generator)

    def iterate(self, epoch: int, first_batch: int = 0) -> Iterator[Tensor]:
        """The batches of an epoch, leaving out the first `first_batch`."""
        self.chunks.epoch = self.order.epoch = epoch
        self.order.first_item = first_batch * (self.batch_size or 1)
        return iter(self)


def create_data_loaders(
    files: Sequence[str | os.PathLike[str]],
    config: TrainingConfig,
    augmentation_pipeline: AugmentationPipeline | None = None,
    *,
    augmentation_probability: float = AUGMENTATION_PROBABILITY,
    sample_rate: int = 48000,
    seed: int = 0,
    split: Split | None = None,
) -> tuple[TrainLoader, DataLoader[Tensor]]:
    """Loaders over training and held-out files, split by file with identical files on one side.

    The training loader visits every chunk `1 + augmentation_expansion` times an epoch; the held-out one walks the
    fixed grid, never augmented. Both share one cache of decoded files.

    Args:
        split: a split made before; by default the files are decoded, hashed and split here.

    Raises:
        DataError: fewer than two different sounds, or a file that cannot be read.
    """
    paths = [os.fspath(path) for path in files]
    if split is None:
        split = split_files({path: scan_file(path).sha256 for path in paths}, config.val_fraction, seed)
    chunk_samples = round(config.chunk_duration_s * sample_rate)
    cache = WaveformCache(sample_rate)
    train = AudioTrainingDataset(
        split.train,
        chunk_samples,
        sample_rate,
        augmentation_pipeline,
        augmentation_probability=augmentation_probability,
        extra_visits=config.regularization.augmentation_expansion,
        seed=seed,
        cache=cache,
    )
    val = AudioTrainingDataset(split.val, chunk_samples, sample_rate, cache=cache)
    train_loader = TrainLoader(train, config.batch_size, seed, config.num_workers)
    return train_loader, DataLoader(val, config.batch_size, shuffle=False, num_workers=config.num_workers)


def _read(waveform: FloatArray, start: int, n_samples: int) -> Tensor:
    """A copy of up to `n_samples` samples, `[1, T]`; the decoded file itself stays untouched."""
    return torch.from_numpy(waveform[start : start + n_samples].copy())[None]


def _fit(waveform: Tensor, n_samples: int) -> Tensor:
    """Cut or zero-pad the end of `[1, T]`."""
    missing = n_samples - waveform.shape[-1]
    return torch.nn.functional.pad(waveform, (0, missing)) if missing > 0 else waveform[:, :n_samples]
