"""White noise whose every sample follows from a seed and its place: the same however a sound is cut into stretches."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

SAMPLES_PER_COUNT = 8
"""Philox gives four words of 64 bits a count, and two of Gaussian noise come of each."""


def draw_noise(seed: int, first: int, n_samples: int) -> Tensor:
    """Gaussian noise of unit variance from place `first` on. → `[n_samples]`, float32, on the CPU.

    Args:
        seed: not negative; those of another seed have nothing to do with it.
        first: not negative.

    >>> whole = draw_noise(7, 0, 100)
    >>> torch.equal(torch.cat([draw_noise(7, 0, 13), draw_noise(7, 13, 87)]), whole)
    True

    Reference:
        Salmon et al., "Parallel Random Numbers: As Easy as 1, 2, 3", SC 2011 (Philox); Box & Muller, "A Note on the
        Generation of Random Normal Deviates", 1958.
    """
    count, skipped = divmod(first, SAMPLES_PER_COUNT)
    n_words = -(-(skipped + n_samples) // 2)
    words = np.random.Philox(key=seed, counter=count).random_raw(n_words)
    radius = np.sqrt(-2.0 * np.log(_to_unit(words >> np.uint64(32))))
    angle = 2.0 * np.pi * _to_unit(words & np.uint64(0xFFFFFFFF))
    pairs = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)
    return torch.from_numpy(pairs.reshape(-1)[skipped : skipped + n_samples].astype(np.float32))


def _to_unit(words: NDArray[np.uint64]) -> NDArray[np.float64]:
    """Words of 32 bits, spread over (0, 1)."""
    unit: NDArray[np.float64] = (words.astype(np.float64) + 0.5) / 2.0**32
    return unit
