"""Spectrogram masking: holes in what the encoder hears, so that it learns to guess the rest; the target stays whole.

Letters in the shapes: `B` batch, `M` mel bands, `F` frames.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True)
class SpectrogramMask:
    """Draws one stretch of time and one of bands to hide, each with its own chance.

    Reference:
        Park et al., "SpecAugment", Interspeech 2019 (time and frequency masking).
    """

    time_probability: float = 0.0
    time_frames: int = 9
    """Longest stretch of frames hidden."""
    band_probability: float = 0.0
    bands: int = 12
    """Widest stretch of mel bands hidden."""

    def __call__(self, like: Tensor, seed: int, step: int) -> Tensor | None:
        """True where a cell is hidden, `[B, M, F]` for a batch of that shape; nothing where nothing ever is."""
        if self.time_probability == 0 and self.band_probability == 0:
            return None
        rng = np.random.default_rng((seed, step))
        n_items, n_bands, n_frames = like.shape
        in_time = _hide(rng, n_items, n_frames, self.time_probability, self.time_frames)[:, None, :]
        in_bands = _hide(rng, n_items, n_bands, self.band_probability, self.bands)[:, :, None]
        return (in_time | in_bands).to(like.device)


def _hide(rng: np.random.Generator, n_items: int, n_cells: int, probability: float, longest: int) -> Tensor:
    """For each item one stretch of up to `longest` of `n_cells` cells, or none. → `[n_items, n_cells]`."""
    longest = min(longest, n_cells)
    lengths = rng.integers(1, longest + 1, size=(n_items, 1)) * (rng.random((n_items, 1)) < probability)
    starts = rng.integers(0, n_cells - lengths + 1)
    cells = np.arange(n_cells)
    return torch.from_numpy((cells >= starts) & (cells < starts + lengths))
