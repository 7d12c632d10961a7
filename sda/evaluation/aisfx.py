"""The embedding of a network that was trained to sort sound-effect libraries; its weights come in the package `aisfx`.

Only the weights are used (CC BY 4.0): the network is built here, and the file is loaded as plain tensors, so that
neither the package's code nor its outdated requirements are needed.

Reference:
    Ma & Lerch, "Representation Learning for the Automatic Indexing of Sound Effects Libraries", ISMIR 2022. The
    network is the nine-layer CNN of Kong et al., "DCASE 2018 Challenge Surrey Cross-task convolutional neural network
    baseline", 2018.

Letters in the shapes: `B` windows, `T` samples, `F` frames, `C` channels.
"""

import importlib.util
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import soxr
import torch
import torchaudio
from torch import Tensor, nn

from sda.evaluation.sounds import match_level
from sda.shell import name_installation

RATE_HZ = 44100
N_FFT = 2048
HOP_LENGTH = 1024
N_MELS = 96
CHANNELS = (1, 64, 128, 256, 512)
LARGEST_LOG_MEL = 9.457798957824707
"""What log-mels were divided by in training."""
PREFIX = "embedding_net."
WINDOWS_AT_ONCE = 16

_PLAIN_NUMBERS: list[Any] = [
    (np.int64(0).__reduce__()[0], "numpy.core.multiarray.scalar"),  # its old name, whatever NumPy calls it now
    np.dtype,
    np.dtypes.Int64DType,
    np.dtypes.Float64DType,
]
"""What the file holds beside tensors: counts, written as NumPy numbers. Nothing of it runs any code."""


def find_weights() -> Path | None:
    """The file of weights, if the package is installed; it is not imported."""
    package = importlib.util.find_spec("aisfx")
    if package is None or not package.submodule_search_locations:
        return None
    path = Path(package.submodule_search_locations[0]) / "models" / "checkpoint.pth"
    return path if path.is_file() else None


class SoundEffectEmbedding:
    """512 numbers a window, from the network's last feature maps.

    Shape:
        `[B, T]` → `[B, 512]`.

    Raises:
        FileNotFoundError: the package `aisfx` is not installed.
    """

    n_parts: tuple[int, ...] = (CHANNELS[-1],)

    def __init__(self, sample_rate_hz: int):
        path = find_weights()
        if path is None:
            raise FileNotFoundError(
                f"the package aisfx is not installed: {name_installation('eval', '--no-deps aisfx')}"
            )
        with torch.serialization.safe_globals(_PLAIN_NUMBERS):
            tensors, _ = torch.load(path, map_location="cpu", weights_only=True)
        self._sample_rate_hz = sample_rate_hz
        self._network = _build_network()
        blocks = {name.removeprefix(PREFIX): tensor for name, tensor in tensors.items() if name.startswith(PREFIX)}
        self._network.load_state_dict(blocks)
        self._network.eval()
        filters = torchaudio.functional.melscale_fbanks(
            N_FFT // 2 + 1, 0.0, RATE_HZ / 2, N_MELS, RATE_HZ, norm=None, mel_scale="htk"
        )
        self._filters = filters / filters.sum(dim=0).clamp(min=1e-9)
        self._window = torch.hann_window(N_FFT)

    @torch.no_grad()
    def __call__(self, clips: Tensor) -> Tensor:
        if len(clips) == 0:
            return torch.zeros(0, CHANNELS[-1])
        return torch.cat([self._embed(batch) for batch in torch.split(match_level(clips), WINDOWS_AT_ONCE)])

    def _embed(self, clips: Tensor) -> Tensor:
        if self._sample_rate_hz != RATE_HZ:
            resampled = soxr.resample(clips.T.contiguous().numpy(), self._sample_rate_hz, RATE_HZ)
            clips = torch.from_numpy(resampled).T.contiguous()
        spectrum = torch.stft(clips, N_FFT, HOP_LENGTH, window=self._window, pad_mode="constant", return_complex=True)
        mel = spectrum.abs().square().transpose(1, 2) @ self._filters  # [B, F, 96]
        log_mel = (1e4 * mel + 1.0).log10() / LARGEST_LOG_MEL
        maps = self._network(log_mel[:, None])  # [B, 512, F / 8, 12]
        vectors: Tensor = maps.mean(dim=3).amax(dim=2)
        return vectors


class _Block(nn.Module):
    """Two convolutions and a pooling."""

    def __init__(self, n_in: int, n_out: int, pool: int):
        super().__init__()
        self.conv1 = nn.Conv2d(n_in, n_out, 3, padding=1, bias=False)
        self.conv2 = nn.Conv2d(n_out, n_out, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(n_out)
        self.bn2 = nn.BatchNorm2d(n_out)
        self.pool = pool

    def forward(self, maps: Tensor) -> Tensor:
        maps = torch.relu(self.bn1(self.conv1(maps)))
        maps = torch.relu(self.bn2(self.conv2(maps)))
        return nn.functional.max_pool2d(maps, self.pool)


def _build_network() -> nn.Sequential:
    """Four blocks, under the names that the weights have."""
    network = nn.Sequential()
    for number, (n_in, n_out) in enumerate(pairwise(CHANNELS), start=1):
        network.add_module(f"conv_block{number}", _Block(n_in, n_out, 2 if number < len(CHANNELS) - 1 else 1))
    return network
