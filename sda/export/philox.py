"""The noise of `sda.audio.noise` in operations that TorchScript has: the same seed and place, the same samples.

Integers of 64 bits stand for words without a sign: sums and products wrap around alike, and what is shifted down is
masked.

Letters in the shapes: `N` counts, each of which gives four words.
"""

import math

import torch
from torch import Tensor, nn

from sda.audio.noise import SAMPLES_PER_COUNT

ROUNDS = 10
LOWER_HALF = 0xFFFFFFFF
"""Of a word."""
MULTIPLIERS = ((0xD2E7470E, 0xE14C6C93), (0xCA5A8263, 0x95121157))
"""Upper and lower half of what the first and the third word are multiplied by."""
STEPS = (0x9E3779B97F4A7C15 - 2**64, 0xBB67AE8584CAA73B - 2**64)
"""By which the two words of the key grow from round to round."""


class Philox(nn.Module):
    """Gaussian noise of unit variance whose every sample follows from a seed and its place.

    The same as `sda.audio.noise.draw_noise` gives, but for the last bit of one sample in many millions: logarithm and
    cosine are another library's.

    Reference:
        Salmon et al., "Parallel Random Numbers: As Easy as 1, 2, 3", SC 2011, section 3.3 (Philox4x64-10).
    """

    def __init__(self) -> None:
        super().__init__()
        self.n_rounds, self.lower_half, self.samples_per_count = ROUNDS, LOWER_HALF, SAMPLES_PER_COUNT
        upper, lower = torch.tensor(MULTIPLIERS).unbind(dim=1)
        self.register_buffer("upper", upper[:, None])
        self.register_buffer("lower", lower[:, None])
        self.register_buffer("steps", torch.tensor(STEPS)[:, None])
        self.upper: Tensor
        self.lower: Tensor
        self.steps: Tensor

    def forward(self, seed: int, first: int, n_samples: int) -> Tensor:
        """From place `first` on, `[n_samples]`; neither it nor the seed is negative."""
        count = first // self.samples_per_count
        skipped = first - count * self.samples_per_count
        n_counts = (skipped + n_samples + self.samples_per_count - 1) // self.samples_per_count
        words = self._scramble(seed, count + 1, n_counts).flatten()
        radius = (-2.0 * self._to_unit(words >> 32).log()).sqrt()
        angle = (2.0 * math.pi) * self._to_unit(words)
        pairs = torch.stack([radius * angle.cos(), radius * angle.sin()], dim=1)
        return pairs.flatten()[skipped : skipped + n_samples].float()

    def _scramble(self, seed: int, first: int, n_counts: int) -> Tensor:
        """The words of every count from `first` on, `[N, 4]`."""
        even = torch.zeros(2, n_counts, dtype=torch.int64)  # the first word and the third
        even[0] = torch.arange(first, first + n_counts)
        odd = torch.zeros(2, n_counts, dtype=torch.int64)  # the second and the fourth
        keys = torch.tensor([[seed], [0]])
        for _ in range(self.n_rounds):
            high, low = self._multiply(even)
            even, odd = high.flip(0) ^ odd ^ keys, low.flip(0)
            keys = keys + self.steps
        return torch.stack([even[0], odd[0], even[1], odd[1]], dim=1)

    def _multiply(self, words: Tensor) -> tuple[Tensor, Tensor]:
        """Upper and lower word of the products of 128 bits. `[2, N]` → two `[2, N]`."""
        mask = self.lower_half
        top, bottom = (words >> 32) & mask, words & mask
        smallest, first, second = bottom * self.lower, bottom * self.upper, top * self.lower
        middle = ((smallest >> 32) & mask) + (first & mask) + (second & mask)
        high = top * self.upper + ((first >> 32) & mask) + ((second >> 32) & mask) + (middle >> 32)
        return high, smallest + ((first + second) << 32)

    def _to_unit(self, words: Tensor) -> Tensor:
        """The lower half of words, spread over (0, 1)."""
        return ((words & self.lower_half).double() + 0.5) / 2.0**32
