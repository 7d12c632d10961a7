"""Spectrograms on the scale that networks see: zero mean and unit deviation in every band.

Letters in the shapes: `B` batch, `M` mel bands, `F` frames.
"""

from collections.abc import Iterable

import torch
from torch import Tensor, nn

MIN_DEVIATION = 0.1
"""A band that never changes is shifted, not scaled up."""


class Standardise(nn.Module):
    """Shift and scale every mel band to zero mean and unit deviation over the training files.

    The statistics are buffers: they travel with the model and are never derived twice.
    """

    def __init__(self, n_mels: int):
        super().__init__()
        self.register_buffer("mean", torch.zeros(n_mels, 1))
        self.register_buffer("deviation", torch.ones(n_mels, 1))
        self.mean: Tensor
        self.deviation: Tensor

    def set(self, mean: Tensor, deviation: Tensor) -> None:
        """Set the statistics, both `[M]`."""
        self.mean.copy_(mean[:, None])
        self.deviation.copy_(deviation.clamp(min=MIN_DEVIATION)[:, None])

    def fit(self, log_mels: Iterable[Tensor]) -> None:
        """Take the statistics of these spectrograms, each `[B, M, F]`: the training files', no others."""
        n_frames = 0
        total: Tensor | float = 0.0
        total_of_squares: Tensor | float = 0.0
        for log_mel in log_mels:
            values = log_mel.cpu().double()
            total = total + values.sum(dim=(0, 2))
            total_of_squares = total_of_squares + values.square().sum(dim=(0, 2))
            n_frames += values.shape[0] * values.shape[2]
        mean = torch.as_tensor(total) / n_frames
        variance = (torch.as_tensor(total_of_squares) / n_frames - mean.square()).clamp(min=0.0)
        self.set(mean.float(), variance.sqrt().float())

    def forward(self, log_mel: Tensor) -> Tensor:
        return (log_mel - self.mean) / self.deviation

    def invert(self, standardised: Tensor) -> Tensor:
        """The way back to log-mel."""
        return standardised * self.deviation + self.mean
