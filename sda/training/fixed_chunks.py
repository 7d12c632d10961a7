"""Chunks on the fixed grid that a run returns to: those that are judged every epoch, and those that statistics fit."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from sda.audio.mel import AudioFeatures, LogMel
from sda.subsample import subsample_evenly
from sda.training.chunk_dataset import number_files
from sda.training.dataset import AudioTrainingDataset
from sda.training.validation import ValidationChunks

EVAL_BATCH = 32
"""Chunks that are judged or encoded at a time."""

MOST_TRAIN_EVAL_CHUNKS = 256
"""Training chunks judged every epoch beside the held-out ones."""

MOST_HELD_OUT_CHUNKS = 1024
"""Held-out chunks judged every epoch, spread over all of them: seventeen minutes of sound, 250 MB."""

MOST_TRAINING_CHUNKS = 4096
"""Training chunks that statistics are fitted to, spread over all of them."""

N_VARIED = 2
"""Variations of each that principal components are fitted to besides."""


@dataclass(frozen=True)
class FixedChunks:
    """Chunks on the fixed grid that a run returns to, with their log-mel spectrograms, in batches on the device."""

    training: list[AudioFeatures]
    """Training chunks that are not mostly padding or silence, up to `MOST_TRAINING_CHUNKS`, without their waveforms."""
    train_eval: ValidationChunks
    """Those of them that are validated every epoch, spread evenly."""
    held_out: ValidationChunks
    """The held-out chunks that are not mostly padding or silence, up to `MOST_HELD_OUT_CHUNKS`."""


@torch.no_grad()
def compute_fixed_chunks(
    train: AudioTrainingDataset, val: AudioTrainingDataset, features: LogMel, device: torch.device
) -> FixedChunks:
    """Compute the spectrograms of what does not change, once."""

    def extract(dataset: AudioTrainingDataset, indices: Sequence[int]) -> Iterator[AudioFeatures]:
        for first in range(0, len(indices), EVAL_BATCH):
            chunks = dataset.grid_chunks(indices[first : first + EVAL_BATCH])
            yield features.extract(*(values.to(device) for values in chunks))

    train_eval = subsample_evenly(train.judged, min(len(val.judged), MOST_TRAIN_EVAL_CHUNKS))
    fitted = subsample_evenly(train.judged, MOST_TRAINING_CHUNKS)
    held_out = subsample_evenly(val.judged, MOST_HELD_OUT_CHUNKS)
    return FixedChunks(
        training=gather((inputs.forget_waveform() for inputs in extract(train, fitted)), len(fitted)),
        train_eval=ValidationChunks(
            gather(extract(train, train_eval), len(train_eval)), number_files(train, train_eval), seed=1
        ),
        held_out=ValidationChunks(gather(extract(val, held_out), len(held_out)), number_files(val, held_out), seed=0),
    )


def gather(batches: Iterable[AudioFeatures], n_chunks: int) -> list[AudioFeatures]:
    """The same batches in one piece of memory, for each of the values that they hold.

    Each by itself would lie among what is computed for the next, which then leaves gaps of its size behind: of an hour
    of sound, gigabytes.

    Args:
        n_chunks: how many there are in all batches together.
    """
    whole: list[Tensor] = []
    gathered, first = list[AudioFeatures](), 0
    for batch in batches:
        last = first + len(batch.level)
        whole = whole or [values.new_empty(n_chunks, *values.shape[1:]) for values in batch]
        gathered.append(
            AudioFeatures(*(every[first:last].copy_(values) for every, values in zip(whole, batch, strict=True)))
        )
        first = last
    return gathered


@torch.no_grad()
def extract_varied(train: AudioTrainingDataset, features: LogMel, device: torch.device) -> Iterator[AudioFeatures]:
    """Training chunks as augmentation varies them, as often as `N_VARIED` says, without their waveforms.

    They are those of no epoch that is trained on, and computed only where they are asked for.
    """
    n_visits = min(N_VARIED, train.extra_visits)
    chunks = subsample_evenly(train.judged, MOST_TRAINING_CHUNKS // N_VARIED)
    items = [train.n_chunks * visit + chunk for visit in range(1, 1 + n_visits) for chunk in chunks]
    for first in range(0, len(items), EVAL_BATCH):
        batch = train.read(items[first : first + EVAL_BATCH]).to(device)
        yield features.extract(*train.finish(batch)).forget_waveform()
