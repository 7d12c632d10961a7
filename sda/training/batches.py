"""Batches on their way to the model: what was read for one, and what becomes of its sounds.

Letters in the shapes: `B` batch, `T` samples, `P` items that another sound is mixed into.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sda.audio.augmentation import SPEED_RATIOS, UNCHANGED, Draws


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


def count_after(ratio: int, n_samples: int) -> int:
    """Samples that a sound has after a change of speed.

    Args:
        ratio: index into `SPEED_RATIOS`, or `UNCHANGED`.
    """
    n_out, n_in = (1, 1) if ratio == UNCHANGED else SPEED_RATIOS[ratio]
    return math.ceil(n_samples * n_out / n_in)


def follow_sound(draws: Draws, sound: Tensor, partners_sound: Tensor) -> Tensor:
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


def delay_sound(waveforms: Tensor, sound: Tensor, delay: NDArray[np.int64]) -> tuple[Tensor, Tensor]:
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


def fit(waveform: Tensor, n_samples: int) -> Tensor:
    """Cut or zero-pad the end of `[1, T]`."""
    missing = n_samples - waveform.shape[-1]
    return torch.nn.functional.pad(waveform, (0, missing)) if missing > 0 else waveform[:, :n_samples]
