"""Standardisation: zero mean and unit deviation in every band.

Letters in the shapes: `B` batch, `M` mel bands, `F` frames.
"""

from collections.abc import Iterable

import torch
from torch import Tensor, nn

MIN_DEVIATION = 0.25
"""A band that hardly changes, by 2 dB, is shifted, not scaled up: sound that does change there stays within bounds."""


class Standardise(nn.Module):
    """Shift and scale every mel band to zero mean and unit deviation over the training files.

    The statistics are buffers: they travel with the model and are never derived twice.

    Args:
        min_deviation: what deviations are raised to that are smaller.
    """

    def __init__(self, n_mels: int, min_deviation: float = MIN_DEVIATION):
        super().__init__()
        self.min_deviation = min_deviation
        self.register_buffer("mean", torch.zeros(n_mels, 1))
        self.register_buffer("deviation", torch.ones(n_mels, 1))
        self.mean: Tensor
        self.deviation: Tensor

    def set(self, mean: Tensor, deviation: Tensor) -> None:
        """Set the statistics, both `[M]`."""
        self.mean.copy_(mean[:, None])
        self.deviation.copy_(deviation.clamp(min=self.min_deviation)[:, None])

    def fit(self, log_mels: Iterable[Tensor], frames: Iterable[Tensor]) -> None:
        """Take the statistics of these spectrograms: the training files', no others.

        Args:
            log_mels: each `[B, M, F]`.
            frames: for each, which of its frames hold sound, `[B, F]`; where none of all does, every frame is taken.
        """
        sums = [torch.zeros(3, 1, dtype=torch.float64)] * 2  # of frames with sound, and of all
        for log_mel, sounding in zip(log_mels, frames, strict=True):
            values = log_mel.cpu().double().transpose(1, 2).flatten(0, 1)  # [B · F, M]
            kept = values[sounding.cpu().flatten()]
            sums = [total + _add_up(part) for total, part in zip(sums, (kept, values), strict=True)]
        count, total, squares = sums[0] if sums[0][0, 0] > 0 else sums[1]
        mean = total / count
        variance = (squares / count - mean.square()).clamp(min=0.0)
        self.set(mean.float(), variance.sqrt().float())

    def forward(self, log_mel: Tensor) -> Tensor:
        return (log_mel - self.mean) / self.deviation

    def invert(self, standardised: Tensor) -> Tensor:
        """The way back to log-mel."""
        return standardised * self.deviation + self.mean


def _add_up(values: Tensor) -> Tensor:
    """How many there are, their sum and that of their squares. `[N, M]` → `[3, M]`."""
    count = values.new_full(values.shape[1:], len(values))
    return torch.stack([count, values.sum(dim=0), values.square().sum(dim=0)])
