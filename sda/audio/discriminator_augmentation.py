"""Augmentation of real and generated sound alike, so that a discriminator cannot know its few real sounds by heart.

It has to let gradients through to what was generated; what is not augmented is left as it is to the last
digit. As with `sda.audio.augmentation`, what is drawn is plain numbers, and what is done with it is done here.

Letters in the shapes: `B` batch, `T` samples, `N` items.

Reference:
    Zhao et al., "Differentiable Augmentation for Data-Efficient GAN Training", NeurIPS 2020; Karras et al., "Training
    Generative Adversarial Networks with Limited Data", NeurIPS 2020, section 2.2: a generator does not learn
    augmentations themselves as long as each leaves some sounds as they are.
"""

import math
from dataclasses import dataclass, fields

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sda.audio.augmentation import tilt_and_rotate

SLOPE_OCTAVES = 1 / 6
"""Width of a masked band's edges, outside the band: a sudden edge would ring for long."""


@dataclass(frozen=True)
class AugmentationDraws:
    """What was drawn for `N` items; every column `[N]`."""

    inverted: NDArray[np.bool_]
    gain_db: NDArray[np.float32]
    phase: NDArray[np.float32]
    """Rotation of every frequency's phase in radians; 0 is none."""
    shift: NDArray[np.float64]
    """Later by this share of the length, the end coming first, in [0, 1); 0 is none."""
    tilt_db: NDArray[np.float32]
    """dB per octave around 1 kHz; 0 is none."""
    mask_top_octaves: NDArray[np.float32]
    """Upper edge of the masked band, octaves below the Nyquist frequency."""
    mask_octaves: NDArray[np.float32]
    """Width of the masked band; 0 is none."""

    def take(self, items: slice) -> "AugmentationDraws":
        """What was drawn for some of the items."""
        return AugmentationDraws(**{column.name: getattr(self, column.name)[items] for column in fields(self)})


@dataclass(frozen=True)
class DiscriminatorAugmentation:
    """Draws and applies augmentations; each happens to an item with probability `strength`, apart from the others."""

    gain_db: float = 12.0
    """Louder or quieter by up to this."""
    tilt_db: float = 2.0
    """Spectral tilt up to this, dB per octave."""
    mask_octaves: float = 1.0
    """Widest band that is masked; the narrowest is a quarter of it."""
    mask_range_octaves: float = 7.0
    """The upper edge of a masked band lies up to this far below the Nyquist frequency."""

    def draw(self, rng: np.random.Generator, n_items: int, strength: float) -> AugmentationDraws:
        """Draw for `n_items` items at once; the generator moves on alike, whatever the strength.

        Args:
            strength: probability of each augmentation, in [0, 1].
        """

        def happens() -> NDArray[np.bool_]:
            return rng.random(n_items) < strength

        def vary(low: float, high: float) -> NDArray[np.float32]:
            return np.where(happens(), rng.uniform(low, high, n_items), 0.0).astype(np.float32)

        return AugmentationDraws(
            # Half of those that it happens to: turning all of them over would hide nothing at strength 1.
            inverted=happens() & (rng.random(n_items) < 0.5),
            gain_db=vary(-self.gain_db, self.gain_db),
            phase=vary(-math.pi, math.pi),
            shift=np.where(happens(), rng.random(n_items), 0.0),
            tilt_db=vary(-self.tilt_db, self.tilt_db),
            mask_top_octaves=rng.uniform(0.0, self.mask_range_octaves, n_items).astype(np.float32),
            mask_octaves=vary(self.mask_octaves / 4, self.mask_octaves),
        )

    def __call__(self, waveforms: Tensor, drawn: AugmentationDraws, rate_hz: int) -> Tensor:
        """Apply what was drawn; where nothing was, what comes back is the very tensor that came in.

        The same draws for a sound and for its reconstruction keep the two comparable, layer by layer.

        Shape:
            waveforms `[B, T]` → `[B, T]`.
        """
        varied = waveforms
        rows = np.flatnonzero((drawn.tilt_db != 0) | (drawn.phase != 0))
        if len(rows):
            tilt_db, phase = drawn.tilt_db[rows], drawn.phase[rows]
            varied = _replace(varied, rows, tilt_and_rotate(varied[rows], tilt_db, phase, rate_hz))
        rows = np.flatnonzero(drawn.mask_octaves)
        if len(rows):
            top, width = drawn.mask_top_octaves[rows], drawn.mask_octaves[rows]
            varied = _replace(varied, rows, mask_band(varied[rows], top, width))
        if drawn.shift.any():
            varied = shift_round(varied, drawn.shift)
        if drawn.inverted.any() or drawn.gain_db.any():
            factors = np.where(drawn.inverted, -1.0, 1.0) * 10 ** (drawn.gain_db / 20)
            varied = varied * varied.new_tensor(factors)[:, None]
        return varied


def mask_band(waveforms: Tensor, top_octaves: NDArray[np.float32], octaves: NDArray[np.float32]) -> Tensor:
    """Take a band of each item's spectrum away.

    Shape:
        waveforms `[B, T]`, top_octaves (upper edge, below the Nyquist frequency) and octaves (width) `[B]` → `[B, T]`.
    """
    n_samples = waveforms.shape[1]
    bins = torch.arange(n_samples // 2 + 1, device=waveforms.device, dtype=waveforms.dtype)
    # The constant is no further down than the first bin: it has no octave of its own.
    below_nyquist = math.log2(n_samples / 2) - bins.clamp(min=1.0).log2()
    top, width = (waveforms.new_tensor(values)[:, None] for values in (top_octaves, octaves))
    outside = torch.maximum(top - below_nyquist, below_nyquist - top - width)  # octaves; below 0 inside the band
    response = 0.5 - 0.5 * (math.pi * (outside / SLOPE_OCTAVES).clamp(0.0, 1.0)).cos()
    masked: Tensor = torch.fft.irfft(torch.fft.rfft(waveforms) * response, n=n_samples)
    return masked


def shift_round(waveforms: Tensor, shift: NDArray[np.float64]) -> Tensor:
    """Move each item later by a share of its length, its end coming first.

    Shape:
        waveforms `[B, T]`, shift `[B]` → `[B, T]`.

    >>> shift_round(torch.tensor([[1.0, 2.0, 3.0, 4.0]]), np.array([0.25])).tolist()
    [[4.0, 1.0, 2.0, 3.0]]
    """
    n_samples = np.rint(shift * waveforms.shape[1]).astype(int).tolist()
    return torch.stack([item.roll(later) for item, later in zip(waveforms, n_samples, strict=True)])


def _replace(waveforms: Tensor, rows: NDArray[np.intp], items: Tensor) -> Tensor:
    """A copy in which some rows are others, as gradients need it."""
    return waveforms.index_copy(0, torch.from_numpy(rows).to(waveforms.device), items)
