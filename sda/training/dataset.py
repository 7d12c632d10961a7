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

from sda.audio.augmentation import SPEED_RATIOS, UNCHANGED, Augmentation, Draws
from sda.audio.span import LEAD_SAMPLES, find_sound, silence_outside, take_span
from sda.data.cache import SoundCache
from sda.data.corpus import Corpus
from sda.data.groups import group_files
from sda.data.scan import Scan, scan_file
from sda.data.split import Segment, Split, split_scan
from sda.errors import DataError
from sda.training.config import TrainingConfig
from sda.training.loader import TrainLoader

AugmentationPipeline = Augmentation | Callable[[Tensor], Tensor]
"""The batched augmentation, or any function from waveform `[1, T]` to waveform, applied to half of the items."""

CALLABLE_PROBABILITY = 0.5
"""Chance that a function given as augmentation is applied to an item."""

KEPT_SILENCE = 0.05
"""Chunks of digital silence between sounds that are trained on, as a share of those with sound: silence can be learned
from a few."""

LEAST_SOUND = 128
"""Samples of sound that a chunk has at least, if its segment has chunks with more: a resampler rings on for a hundred
behind the last sample of a file, over the edge of a chunk at times, and that is no sound to learn from."""

STEPS_TO_END = 16
"""The latest place where a chunk may start is one of so many to a chunk: it does not follow a few samples that a
resampler rings on for behind a sound."""

INDEXED_AT_ONCE = 64
"""Chunks that are looked through for sound at a time: 12 MB."""

OFFSET_STREAM = 1
"""Tells the stream of random numbers that offsets and augmentations are drawn from from the one of the order."""


class Chunk(NamedTuple):
    """A place on the grid."""

    path: str
    start: int
    """First sample, at the rate of the corpus."""
    first: int
    """First sample of the sound in the segment that the chunk lies in: no visit off the grid reads before it."""
    end: int
    """Sample after the last of the sound in the segment."""


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
    sound: Tensor
    """First sample of each that is not digitally silent, and the one after the last, `[B, 2]`."""
    partners_sound: Tensor
    """The same of the partners, `[P, 2]`."""
    delay: NDArray[np.int64]
    """Silence before each, samples of the finished item, `[B]`: short sounds begin at any place of a chunk."""

    def to(self, device: torch.device) -> "ReadBatch":
        """The same with its sounds on a device."""
        if self.waveforms.device.type == device.type:  # `cuda` and `cuda:0` are not equal
            return self
        waiting = (self.waveforms, self.partners, self.sound, self.partners_sound)
        if device.type == "cuda":  # pinned, so that the copy need not be waited for
            moved = [values.pin_memory().to(device, non_blocking=True) for values in waiting]
        else:
            moved = [values.to(device) for values in waiting]
        return ReadBatch(moved[0], self.draws, moved[1], self.called, moved[2], moved[3], self.delay)


class Chunks(NamedTuple):
    """A batch as it is trained on."""

    waveforms: Tensor
    """`[B, 1, chunk_samples]`, zeros where a sound is shorter."""
    samples: Tensor
    """Where in each the sound lies that counts: its first sample, and the one after the last, `[B, 2]`."""


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
        for given in file_paths:
            self._add(given if isinstance(given, Segment) else Segment(os.fspath(given)))
        self._rank = {chunk: rank for rank, chunk in enumerate(self.visited)}
        self.n_read = chunk_samples
        if isinstance(augmentation_pipeline, Augmentation):
            self.n_read = augmentation_pipeline.read_samples(chunk_samples)
        self.set_epoch(0)

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
                room = self.chunk_samples - _count_after(ratio, place.end - place.first)
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
            sound = _follow(batch.draws, sound, batch.partners_sound)
            varied = silence_outside(varied, sound)  # where a filter rings on in what is no part of the sound
        elif pipeline is None:
            varied = batch.waveforms
        else:
            varied = torch.cat(
                [
                    _fit(pipeline(chunk[None]), self.chunk_samples) if called else chunk[None]
                    for chunk, called in zip(batch.waveforms, batch.called.tolist(), strict=True)
                ]
            )
        varied, sound = _delay(varied, sound, batch.delay)
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
        n_samples, size = self.corpus.count_samples(segment.path), self.chunk_samples
        first = round(segment.start_s * self.sample_rate)
        end = n_samples if segment.end_s is None else min(n_samples, round(segment.end_s * self.sample_rate))
        starts = range(first, first + math.ceil((end - first) / size) * size, size)
        sounds = self._find_sounds(segment.path, starts, end)
        lengths = [last - begin for begin, last in sounds]
        numbers = range(len(self.chunks), len(self.chunks) + len(starts))
        least = min(LEAST_SOUND, max(1, *lengths))
        sounding = [number for number, length in enumerate(lengths) if length >= least]
        if sounding:  # what is silent before and behind is never read by chance
            end = starts[sounding[-1]] + sounds[sounding[-1]][1]
            first = max(first, starts[sounding[0]] + sounds[sounding[0]][0] - LEAD_SAMPLES)
            silent = [number for number in range(sounding[0], sounding[-1]) if lengths[number] == 0]
            n_kept = min(len(silent), math.ceil(KEPT_SILENCE * len(sounding)))
            visited = sorted([*sounding, *(silent[number * len(silent) // n_kept] for number in range(n_kept))])
            most = lengths.index(max(lengths))
            judged = [number for number in sounding if lengths[number] >= size / 2 or number == most]
        else:  # silent as a whole: there is nothing else to learn from it
            visited, judged = list(range(len(starts))), [0]
        self.chunks += [Chunk(segment.path, start, first, end) for start in starts]
        self.visited += [numbers[number] for number in visited]
        self.judged += [numbers[number] for number in judged]

    def _find_sounds(self, path: str, starts: Sequence[int], end: int) -> list[tuple[int, int]]:
        """Where in each of some chunks its sound lies, see `find_sound`."""
        found: list[tuple[int, int]] = []
        for number in range(0, len(starts), INDEXED_AT_ONCE):
            places = [(path, start) for start in starts[number : number + INDEXED_AT_ONCE]]
            found += find_sound(self.corpus.read(places, self.chunk_samples, [end] * len(places))).tolist()
        return found

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


def _count_after(ratio: int, n_samples: int) -> int:
    """Samples that a sound has after a change of speed.

    Args:
        ratio: index into `SPEED_RATIOS`, or `UNCHANGED`.
    """
    n_out, n_in = (1, 1) if ratio == UNCHANGED else SPEED_RATIOS[ratio]
    return math.ceil(n_samples * n_out / n_in)


def _follow(draws: Draws, sound: Tensor, partners_sound: Tensor) -> Tensor:
    """Where the sound lies after it was varied. `[B, 2]` → `[B, 2]`."""
    pairs = np.array([(1, 1) if ratio == UNCHANGED else SPEED_RATIOS[ratio] for ratio in draws.ratio])
    n_out, n_in = torch.from_numpy(pairs).to(sound.device).unbind(dim=1)
    first, last = sound.unbind(dim=1)
    followed = torch.stack([first * n_out // n_in, (last * n_out + n_in - 1) // n_in], dim=1)
    mixed = np.flatnonzero(draws.mix_same_file | draws.mix_corpus)
    if len(mixed):
        both = torch.stack([followed[mixed], partners_sound])
        followed[mixed] = torch.stack([both[..., 0].amin(dim=0), both[..., 1].amax(dim=0)], dim=1)
    return followed


def _delay(waveforms: Tensor, sound: Tensor, delay: NDArray[np.int64]) -> tuple[Tensor, Tensor]:
    """Put silence before each, in place of what is at its end. `[B, T]` and `[B, 2]` → the same."""
    rows = np.flatnonzero(delay)
    if len(rows) == 0:
        return waveforms, sound
    waveforms = waveforms.clone()
    for row in rows.tolist():
        n_samples = int(delay[row])
        waveforms[row] = torch.nn.functional.pad(waveforms[row, :-n_samples], (n_samples, 0))
    is_sound = (sound[:, 1:] > sound[:, :1]).long()
    return waveforms, sound + is_sound * torch.from_numpy(delay).to(sound.device)[:, None]


def _fit(waveform: Tensor, n_samples: int) -> Tensor:
    """Cut or zero-pad the end of `[1, T]`."""
    missing = n_samples - waveform.shape[-1]
    return torch.nn.functional.pad(waveform, (0, missing)) if missing > 0 else waveform[:, :n_samples]
