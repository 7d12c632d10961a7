"""Chunks of waveform to train on, and the loaders that deal them out.

Every random draw of an item follows from `(seed, epoch, index)` alone: the order of work, the number of workers and
an interruption change nothing. Chunks are read in batches from mapped or device memory, and varied in batches on the
device. The mel spectrogram is computed in the training step.

Letters in the shapes: `B` batch, `T` samples, `P` items that another sound is mixed into.
"""

import math
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from sda.audio.augmentation import Augmentation, Draws
from sda.data.cache import SoundCache
from sda.data.corpus import Corpus
from sda.data.groups import group_files
from sda.data.scan import Scan, scan_file
from sda.data.split import Piece, Split, split_scan
from sda.errors import DataError
from sda.training.config import TrainingConfig
from sda.training.loader import TrainLoader

AugmentationPipeline = Augmentation | Callable[[Tensor], Tensor]
"""The batched augmentation, or any function from waveform `[1, T]` to waveform, applied to half of the items."""

CALLABLE_PROBABILITY = 0.5
"""Chance that a function given as augmentation is applied to an item."""

OFFSET_STREAM = 1
"""Tells the stream of random numbers that offsets and augmentations are drawn from from the one of the order."""


class Chunk(NamedTuple):
    """A place on the grid."""

    path: str
    start: int
    """First sample, at the rate of the corpus."""
    first: int
    """First sample of the piece that the chunk lies in: nothing before it is read."""
    end: int
    """Sample after the piece's last."""


@dataclass(frozen=True)
class ReadBatch:
    """What was read for a batch, before it is varied."""

    waveforms: Tensor
    """`[B, T]`, longer than a chunk where a change of speed may need it."""
    draws: Draws | None
    partners: Tensor
    """Sounds to be mixed in, `[P, chunk_samples]`."""
    called: NDArray[np.bool_]
    """`[B]`: which items a function given as augmentation is applied to."""

    def to(self, device: torch.device) -> "ReadBatch":
        """The same with its sounds on a device."""
        if self.waveforms.device.type == device.type:  # `cuda` and `cuda:0` are not equal
            return self
        if device.type == "cuda":  # pinned, so that the copy need not be waited for
            return ReadBatch(
                self.waveforms.pin_memory().to(device, non_blocking=True),
                self.draws,
                self.partners.pin_memory().to(device, non_blocking=True),
                self.called,
            )
        return ReadBatch(self.waveforms.to(device), self.draws, self.partners.to(device), self.called)


class AudioTrainingDataset(Dataset[Tensor]):
    """Pairs of file and chunk start; each item a mono waveform.

    Items `0 … n_chunks − 1` lie on a fixed grid, `ceil(total_samples / chunk_samples)` a file, the last chunk
    zero-padded. Each of the `extra_visits` after them visits every chunk again, starting up to `offset_chunks` chunks
    earlier or later, inside the file.

    Shape:
        item `[1, chunk_samples]`, float32.

    Args:
        file_paths: the sound files, or pieces of them.
        chunk_samples: length of an item, samples at `sample_rate`.
        sample_rate: rate that files are converted to, Hz.
        augmentation_pipeline: varies chunks; `None` never does.
        extra_visits: visits to every chunk beside the one on the grid.
        offset_chunks: largest shift of an extra visit, in chunks.
        seed: decides offsets and augmentations, together with `epoch`.
        corpus: decoded waveforms to share; the default cache at `sample_rate` if not given.

    Raises:
        DataError: there are no files, or one cannot be used.
    """

    def __init__(
        self,
        file_paths: Sequence[str | os.PathLike[str] | Piece],
        chunk_samples: int = 48000,
        sample_rate: int = 48000,
        augmentation_pipeline: AugmentationPipeline | None = None,
        *,
        extra_visits: int = 0,
        offset_chunks: float = 0.5,
        seed: int = 0,
        corpus: Corpus | None = None,
    ):
        if not file_paths:
            raise DataError("no sound files were given. Give at least one.")
        self.chunk_samples = chunk_samples
        self.sample_rate = sample_rate
        self.augmentation_pipeline = augmentation_pipeline
        self.extra_visits = extra_visits
        self.offset_chunks = offset_chunks
        self.seed = seed
        self.corpus = Corpus(SoundCache(sample_rate_hz=sample_rate)) if corpus is None else corpus
        self.chunks: list[Chunk] = []
        """Every chunk on the grid."""
        self.judged: list[int] = []
        """Grid chunks worth judging by: at least half sound, or all that their piece has."""
        for given in file_paths:
            self._add(given if isinstance(given, Piece) else Piece(os.fspath(given)))
        self.n_read = chunk_samples
        if isinstance(augmentation_pipeline, Augmentation):
            self.n_read = augmentation_pipeline.read_samples(chunk_samples)
        self.set_epoch(0)

    @property
    def n_chunks(self) -> int:
        """Chunks on the grid."""
        return len(self.chunks)

    def __len__(self) -> int:
        return self.n_chunks * (1 + self.extra_visits)

    def set_epoch(self, epoch: int) -> None:
        """Draw the offsets and variations of all items of an epoch."""
        self.epoch = epoch
        rng = np.random.default_rng((self.seed, epoch, OFFSET_STREAM))
        self._offsets = rng.uniform(-self.offset_chunks, self.offset_chunks, len(self))
        self._called = rng.random(len(self)) < CALLABLE_PROBABILITY
        pipeline = self.augmentation_pipeline
        self._draws = pipeline.draw(rng, len(self)) if isinstance(pipeline, Augmentation) else None

    def grid_chunk(self, chunk: int) -> Tensor:
        """A chunk on the grid as it is in the file, `[1, chunk_samples]`."""
        place = self.chunks[chunk]
        return self.corpus.read([(place.path, place.start)], self.chunk_samples, [place.end])

    def read(self, items: Sequence[int]) -> ReadBatch:
        """Read a batch of items, with what was drawn for them in this epoch."""
        rows = np.asarray(items)
        visits, chunks = np.divmod(rows, self.n_chunks)
        places, ends = [], []
        for item, visit, chunk in zip(rows.tolist(), visits.tolist(), chunks.tolist(), strict=True):
            place = self.chunks[chunk]
            start = place.start
            if visit > 0:
                shifted = start + round(self._offsets[item] * self.chunk_samples)
                start = max(place.first, min(shifted, place.end - self.n_read))
            places.append((place.path, start))
            ends.append(place.end)
        draws = None if self._draws is None else self._draws.take(rows)
        return ReadBatch(
            self.corpus.read(places, self.n_read, ends), draws, self._read_partners(chunks, draws), self._called[rows]
        )

    def vary(self, batch: ReadBatch) -> Tensor:
        """Apply what was drawn, on the device where the batch is. → `[B, 1, chunk_samples]`."""
        pipeline = self.augmentation_pipeline
        if isinstance(pipeline, Augmentation):
            assert batch.draws is not None
            varied = pipeline(batch.waveforms, batch.draws, self.chunk_samples, batch.partners, self.sample_rate)
            return varied[:, None]
        chunks = batch.waveforms[:, None]
        if pipeline is None:
            return chunks
        return torch.stack(
            [
                _fit(pipeline(chunk), self.chunk_samples) if called else chunk
                for chunk, called in zip(chunks, batch.called.tolist(), strict=True)
            ]
        )

    def vary_chunk(self, chunk: int, n_variations: int, seed: int) -> Tensor:
        """Variations of one grid chunk, every one varied, to listen to. → `[n_variations, chunk_samples]`."""
        if n_variations == 0 or not isinstance(self.augmentation_pipeline, Augmentation):
            return torch.zeros(0, self.chunk_samples)
        always = replace(self.augmentation_pipeline, probability=1.0)
        draws = always.draw(np.random.default_rng(seed), n_variations)
        place = self.chunks[chunk]
        waveforms = self.corpus.read(
            [(place.path, place.start)] * n_variations, self.n_read, [place.end] * n_variations
        )
        partners = self._read_partners(np.full(n_variations, chunk), draws)
        return always(waveforms, draws, self.chunk_samples, partners, self.sample_rate)

    def __getitem__(self, index: int) -> Tensor:
        if not 0 <= index < len(self):
            raise IndexError(index)
        return self.vary(self.read([index]))[0]

    def _add(self, piece: Piece) -> None:
        """Put a piece's chunks on the grid."""
        n_samples = len(self.corpus.get(piece.path))
        first = round(piece.start_s * self.sample_rate)
        end = n_samples if piece.end_s is None else min(n_samples, round(piece.end_s * self.sample_rate))
        for start in range(
            first, first + math.ceil((end - first) / self.chunk_samples) * self.chunk_samples, self.chunk_samples
        ):
            if start == first or end - start >= self.chunk_samples / 2:
                self.judged.append(len(self.chunks))
            self.chunks.append(Chunk(piece.path, start, first, end))

    def _read_partners(self, chunks: NDArray[np.int64], draws: Draws | None) -> Tensor:
        """The sounds to be mixed into items that ask for one, `[P, chunk_samples]`."""
        if draws is None:
            return torch.zeros(0, self.chunk_samples)
        partners = []
        for row in np.flatnonzero(draws.mix_same_file | draws.mix_corpus).tolist():
            candidates = list(range(self.n_chunks))
            if draws.mix_same_file[row]:
                path = self.chunks[chunks[row]].path
                candidates = [number for number in candidates if self.chunks[number].path == path]
            partners.append(self.chunks[candidates[int(draws.mix_place[row] * len(candidates))]])
        if not partners:
            return torch.zeros(0, self.chunk_samples)
        places = [(partner.path, partner.start) for partner in partners]
        return self.corpus.read(places, self.chunk_samples, [partner.end for partner in partners])


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

    The training loader visits every chunk `1 + augmentation_expansion` times an epoch; the held-out one walks the
    fixed grid, never augmented. Both share one corpus of decoded files.

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
        scan = Scan("", tuple(file for file, _ in looked_at), {file.path: acoustic for file, acoustic in looked_at})
        groups = group_files(scan, corpus.cache)
        split = split_scan(scan, groups, config.val_fraction, seed, chunk_duration_s=config.chunk_duration_s)
    chunk_samples = round(config.chunk_duration_s * sample_rate)
    train = AudioTrainingDataset(
        split.train,
        chunk_samples,
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


def _fit(waveform: Tensor, n_samples: int) -> Tensor:
    """Cut or zero-pad the end of `[1, T]`."""
    missing = n_samples - waveform.shape[-1]
    return torch.nn.functional.pad(waveform, (0, missing)) if missing > 0 else waveform[:, :n_samples]
