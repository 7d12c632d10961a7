"""Statistics of the training files that the model carries with it."""

from collections.abc import Iterable

import torch
from torch import Tensor

from sda.models.mel_vae import Standardise


def fit_standardise(standardise: Standardise, log_mels: Iterable[Tensor]) -> None:
    """Give every mel band zero mean and unit deviation over these spectrograms: the training files', no others.

    Shape:
        each of log_mels `[B, M, F]`.
    """
    n_frames = 0
    total: Tensor | float = 0.0
    total_of_squares: Tensor | float = 0.0
    for log_mel in log_mels:
        values = log_mel.to("cpu", torch.float64)
        total = total + values.sum(dim=(0, 2))
        total_of_squares = total_of_squares + values.square().sum(dim=(0, 2))
        n_frames += values.shape[0] * values.shape[2]
    mean = torch.as_tensor(total) / n_frames
    variance = (torch.as_tensor(total_of_squares) / n_frames - mean.square()).clamp(min=0.0)
    standardise.fit(mean.float(), variance.sqrt().float())
