"""Chunks of waveform to train on.

Every random draw of an item follows from `(seed, epoch, index)` alone: the order of work, the number of workers and
an interruption change nothing. Chunks are read in batches from mapped or device memory, and varied in batches on the
device. The mel spectrogram is computed in the training step.

Letters in the shapes: `B` batch, `T` samples, `P` items that another sound is mixed into.
"""

import os
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from sda.audio.augmentation import UNCHANGED, Augmentation, Draws
from sda.audio.span import find_sound, silence_outside, take_span
from sda.data.cache import SoundCache
from sda.data.corpus import Corpus
from sda.data.split import Segment
from sda.errors import DataError
from sda.training.batches import Chunks, ReadBatch, count_after, delay_sound, fit, follow_sound
from sda.training.grid import Chunk, lay_grid

AugmentationPipeline = Augmentation | Callable[[Tensor], Tensor]
"""The batched augmentation, or any function from waveform `[1, T]` to waveform, applied to half of the items."""

CALLABLE_PROBABILITY = 0.5
"""Chance that a function given as augmentation is applied to an item."""

STEPS_TO_END = 16
"""The latest place where a chunk may start is one of so many to a chunk: it does not follow a few samples that a
resampler rings on for behind a sound."""

OFFSET_STREAM = 1
"""Tells the stream of random numbers that offsets and augmentations are drawn from from the one of the order."""


class AudioTrainingDataset(Dataset[Tensor]):
    """Pairs of file and chunk start; each item a mono waveform.

    Items `0 … n_chunks − 1` lie on a fixed grid, `ceil(total_samples / chunk_samples)` a file, the last chunk
    zero-padded. Each of the `extra_visits` after them visits every chunk again, starting up to `offset_chunks` chunks
    earlier or later, inside the file. A sound shorter than a chunk is never cut: where it would start earlier, silence
    comes before it, as far as there is room.

    Beside its waveform, an item has the place of its sound (`Chunks.samples`): padding and digital silence at either
    end are no sound. Items that hold nothing else are not in `visited`, but for a few between sounds.

    Shape:
        item `[1, chunk_samples]`, float32.

    Args:
        file_paths: the sound files, or segments of them.
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
        file_paths: Sequence[str | os.PathLike[str] | Segment],
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
        self.visited: list[int] = []
        """Grid chunks worth training on: those with sound, and a few of the silent ones between them."""
        self.judged: list[int] = []
        """Grid chunks worth judging by: at least half sound, or the most that their segment has."""
        self._segments = [given if isinstance(given, Segment) else Segment(os.fspath(given)) for given in file_paths]
        for segment in self._segments:
            self._add(segment)
        self._rank = {chunk: rank for rank, chunk in enumerate(self.visited)}
        self.n_read = chunk_samples
        if isinstance(augmentation_pipeline, Augmentation):
            self.n_read = augmentation_pipeline.read_samples(chunk_samples)
        self.set_epoch(0)

    def recut(self, chunk_samples: int) -> "AudioTrainingDataset":
        """The same sound in chunks of another length; itself where they are its own."""
        if chunk_samples == self.chunk_samples:
            return self
        return AudioTrainingDataset(
            self._segments,
            chunk_samples,
            self.sample_rate,
            self.augmentation_pipeline,
            extra_visits=self.extra_visits,
            offset_chunks=self.offset_chunks,
            seed=self.seed,
            corpus=self.corpus,
        )

    @property
    def n_chunks(self) -> int:
        """Chunks on the grid."""
        return len(self.chunks)

    @property
    def items(self) -> list[int]:
        """What an epoch visits: each of `visited`, once on the grid and `extra_visits` times more."""
        return [visit * self.n_chunks + chunk for visit in range(1 + self.extra_visits) for chunk in self.visited]

    def __len__(self) -> int:
        return self.n_chunks * (1 + self.extra_visits)

    def set_epoch(self, epoch: int) -> None:
        """Draw the offsets and variations of all items of an epoch; silence at the end of a file changes none."""
        self.epoch = epoch
        rng = np.random.default_rng((self.seed, epoch, OFFSET_STREAM))
        n_items = len(self.visited) * (1 + self.extra_visits)
        self._offsets = rng.uniform(-self.offset_chunks, self.offset_chunks, n_items)
        self._called = rng.random(n_items) < CALLABLE_PROBABILITY
        pipeline = self.augmentation_pipeline
        self._draws = pipeline.draw(rng, n_items) if isinstance(pipeline, Augmentation) else None

    def grid_chunk(self, chunk: int) -> Tensor:
        """A chunk on the grid as it is in the file, `[1, chunk_samples]`."""
        return self.grid_chunks([chunk]).waveforms[0]

    def grid_chunks(self, chunks: Sequence[int]) -> Chunks:
        """Chunks on the grid as they are in their files, and where their sound lies."""
        places = [self.chunks[chunk] for chunk in chunks]
        waveforms = self.corpus.read(
            [(place.path, place.start) for place in places], self.chunk_samples, [place.end for place in places]
        )
        return Chunks(waveforms[:, None], take_span(find_sound(waveforms)))

    def read(self, items: Sequence[int]) -> ReadBatch:
        """Read a batch of items, with what was drawn for them in this epoch."""
        visits, chunks = np.divmod(np.asarray(items), self.n_chunks)
        ranks = [self._rank.get(chunk, chunk % len(self.visited)) for chunk in chunks.tolist()]
        rows = visits * len(self.visited) + np.array(ranks)
        draws = None if self._draws is None else self._draws.take(rows)
        places, ends, delay = [], [], np.zeros(len(rows), np.int64)
        for number, (row, visit, chunk) in enumerate(zip(rows.tolist(), visits.tolist(), chunks.tolist(), strict=True)):
            place = self.chunks[chunk]
            start = place.start
            if visit > 0:
                shift = round(self._offsets[row] * self.chunk_samples)
                ratio = UNCHANGED if draws is None else int(draws.ratio[number])
                room = self.chunk_samples - count_after(ratio, place.end - place.first)
                if room > 0:
                    start, delay[number] = place.first, min(room, max(0, -shift))
                else:
                    latest = place.end - self.n_read
                    latest -= latest % max(1, self.chunk_samples // STEPS_TO_END)
                    start = max(place.first, min(start + shift, latest))
            places.append((place.path, start))
            ends.append(place.end)
        waveforms, partners = self.corpus.read(places, self.n_read, ends), self._read_partners(chunks, draws)
        sounds = (find_sound(waveforms), find_sound(partners))
        return ReadBatch(waveforms, draws, partners, self._called[rows], *sounds, delay)

    def vary(self, batch: ReadBatch) -> Tensor:
        """Apply what was drawn, on the device where the batch is. → `[B, 1, chunk_samples]`."""
        return self.finish(batch).waveforms

    def finish(self, batch: ReadBatch) -> Chunks:
        """Apply what was drawn, on the device where the batch is, and tell where the sound is now."""
        pipeline, sound = self.augmentation_pipeline, batch.sound
        if isinstance(pipeline, Augmentation):
            assert batch.draws is not None
            varied = pipeline(batch.waveforms, batch.draws, self.chunk_samples, batch.partners, self.sample_rate)
            sound = follow_sound(batch.draws, sound, batch.partners_sound)
            varied = silence_outside(varied, sound)  # where a filter rings on in what is no part of the sound
        elif pipeline is None:
            varied = batch.waveforms
        else:
            varied = torch.cat(
                [
                    fit(pipeline(chunk[None]), self.chunk_samples) if called else chunk[None]
                    for chunk, called in zip(batch.waveforms, batch.called.tolist(), strict=True)
                ]
            )
        varied, sound = delay_sound(varied, sound, batch.delay)
        return Chunks(varied[:, None], take_span(sound.clamp(max=self.chunk_samples)))

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

    def _add(self, segment: Segment) -> None:
        """Put a segment's chunks on the grid."""
        grid, n_before = lay_grid(segment, self.corpus, self.chunk_samples), len(self.chunks)
        self.chunks += grid.chunks
        self.visited += [n_before + number for number in grid.visited]
        self.judged += [n_before + number for number in grid.judged]

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


def number_files(dataset: AudioTrainingDataset, indices: Sequence[int]) -> list[int]:
    """The file that each of the grid chunks lies in, by its number among the files of the dataset."""
    paths = dict.fromkeys(chunk.path for chunk in dataset.chunks)
    numbers = {path: number for number, path in enumerate(paths)}
    return [numbers[dataset.chunks[index].path] for index in indices]
