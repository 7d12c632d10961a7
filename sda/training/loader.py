"""Shuffled batches, epoch by epoch, that can be taken up in the middle."""

import math
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from sda.training.batches import Chunks, ReadBatch
from sda.training.chunk_dataset import AudioTrainingDataset


class _Reads(Dataset[ReadBatch]):
    """The items of a dataset by whole batches, so that a worker reads one at a time."""

    def __init__(self, chunks: AudioTrainingDataset):
        self.chunks = chunks

    def __getitem__(self, items: list[int]) -> ReadBatch:
        return self.chunks.read(items)


class EpochSampler(Sampler[list[int]]):
    """Batches of a permutation of the items for every epoch, from `(seed, epoch)`; it can start in the middle."""

    def __init__(self, items: Sequence[int], batch_size: int, seed: int):
        self.items = np.asarray(items)
        self.batch_size = batch_size
        self.seed = seed
        self.epoch = 0
        self.first_batch = 0

    def __len__(self) -> int:
        return math.ceil(len(self.items) / self.batch_size)

    def __iter__(self) -> Iterator[list[int]]:
        order = self.items[np.random.default_rng((self.seed, self.epoch)).permutation(len(self.items))].tolist()
        for first in range(self.first_batch * self.batch_size, len(order), self.batch_size):
            yield order[first : first + self.batch_size]


class TrainLoader:
    """Shuffled, varied batches `[B, 1, T]` of one epoch at a time; the last of an epoch may be smaller.

    Args:
        device: where batches are varied and handed out.
    """

    def __init__(
        self,
        dataset: AudioTrainingDataset,
        batch_size: int,
        seed: int,
        num_workers: int = 0,
        device: torch.device | None = None,
    ):
        self.dataset = dataset
        self.batch_size = batch_size
        self.device = torch.device("cpu") if device is None else device
        self._order = EpochSampler(dataset.items, batch_size, seed)
        # Every iterator draws a seed for its workers; from the global generator, a continued run would differ.
        generator = torch.Generator()
        self._reads = DataLoader(
            _Reads(dataset), batch_size=None, sampler=self._order, num_workers=num_workers, generator=generator
        )

    def __len__(self) -> int:
        return len(self._order)

    def __iter__(self) -> Iterator[Tensor]:
        return self.iterate(self.dataset.epoch)

    def iterate(self, epoch: int, first_batch: int = 0) -> Iterator[Tensor]:
        """The batches of an epoch, leaving out the first `first_batch`."""
        for chunks in self.deal(epoch, first_batch):
            yield chunks.waveforms

    def deal(self, epoch: int, first_batch: int = 0) -> Iterator[Chunks]:
        """The same, beside where their sound lies."""
        self.dataset.set_epoch(epoch)
        self._order.epoch, self._order.first_batch = epoch, first_batch
        for batch in self._reads:
            yield self.dataset.finish(batch.to(self.device))
