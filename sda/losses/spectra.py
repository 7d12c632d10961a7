"""Spectra in many resolutions, in which sounds are compared.

Letters in the shapes: `B` batch, `T` samples, `N` frequency bins, `M` mel bands, `F` frames.
"""

import warnings
from functools import cache
from typing import Any

import torch
import torchaudio
from torch import Tensor

from sda.audio.overlap_add import overlap_add
from sda.audio.sparse import SparseMatrix

WINDOWS = (32, 64, 128, 256, 512, 1024, 2048)
"""FFT lengths, samples; the hop is a quarter of each, and there is a mel band for every 6.4 samples."""

WINDOW_WEIGHTS = (1.0, 1.0, 1.0, 1.0, 2.0, 3.0, 4.0)
"""How much a window counts: long ones hear partials and the level of textures, short ones hear attacks."""

DRAWN_WINDOWS = 2
"""Windows that a training step listens with; a few drawn by weight have the gradient of all on average."""

MIN_MAGNITUDE = 1e-5
NO_POWER = 1e-12
"""Added to every power: the root has a finite gradient on digital silence."""


def list_windows() -> dict[int, float]:
    """All windows, and the share of each."""
    return {window: weight / sum(WINDOW_WEIGHTS) for window, weight in zip(WINDOWS, WINDOW_WEIGHTS, strict=True)}


def draw_windows() -> dict[int, float]:
    """A few windows, drawn by weight, and the share of each."""
    drawn = torch.multinomial(torch.tensor(WINDOW_WEIGHTS), DRAWN_WINDOWS, replacement=True).tolist()
    return {WINDOWS[place]: drawn.count(place) / DRAWN_WINDOWS for place in drawn}


def compute_magnitude(waveform: Tensor, n_fft: int) -> Tensor:
    """Magnitudes of frames a quarter of their length apart, with a gradient on silence too. `[B, T]` → `[B, N, F]`.

    The first frame is centred at the first sample; before it, and behind the last one, there is silence.
    """
    padded = torch.nn.functional.pad(waveform, (n_fft // 2, n_fft // 2))
    power = compute_power(padded, build_window(n_fft, waveform.device), n_fft // 4)
    return (power + NO_POWER).sqrt().transpose(1, 2)


def compute_power(waveform: Tensor, window: Tensor, hop_length: int) -> Tensor:
    """Squared magnitudes of all whole frames. `[B, T]` → `[B, F, N]`.

    Args:
        window: of the frames, an even number of samples that is a multiple of the hop.
    """
    power: Tensor = _Power.apply(waveform, window, hop_length)
    return power


class _Power(torch.autograd.Function):
    """With the gradient by one inverse FFT of half of the spectrum; torch's own is an FFT of the whole."""

    @staticmethod
    def forward(ctx: Any, waveform: Tensor, window: Tensor, hop_length: int) -> Tensor:
        spectra = torch.fft.rfft(waveform.unfold(1, len(window), hop_length) * window)
        ctx.save_for_backward(spectra, window)
        ctx.hop_length, ctx.n_samples = hop_length, waveform.shape[1]
        power: Tensor = spectra.real.square() + spectra.imag.square()
        return power

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        spectra, window = ctx.saved_tensors
        pulled = spectra * gradients[0]  # half of it: the inverse counts all bins twice, but for the first and the last
        pulled[..., 0] *= 2.0
        pulled[..., -1] *= 2.0
        frames = torch.fft.irfft(pulled, n=len(window), norm="forward") * window
        waveform = overlap_add(frames, ctx.hop_length)
        return torch.nn.functional.pad(waveform, (0, ctx.n_samples - waveform.shape[1])), None, None


class MelFilters:
    """Mel filters `[M, N]`, which spectra are multiplied with as with a matrix: `filters @ magnitudes`.

    Args:
        weights: of every bin in every band.
    """

    def __init__(self, weights: Tensor):
        self.weights = weights
        self._matrix = SparseMatrix(weights.T.contiguous())

    def __len__(self) -> int:
        return len(self.weights)

    def __matmul__(self, spectra: Tensor) -> Tensor:
        """`[B, N, F]` → `[B, M, F]`; quickest where the numbers of a frame lie side by side."""
        return self._matrix.multiply(spectra.transpose(1, 2)).transpose(1, 2)


def take_log(magnitude: Tensor) -> Tensor:
    """Natural logarithm; what is quieter than `MIN_MAGNITUDE` counts as this."""
    return magnitude.clamp(min=MIN_MAGNITUDE).log()


@cache
def build_window(n_fft: int, device: torch.device) -> Tensor:
    """Hann's, periodic. → `[n_fft]`."""
    return torch.hann_window(n_fft, device=device)


@cache
def build_filters(sample_rate_hz: int, n_fft: int, device: torch.device, n_mels: int = 0) -> MelFilters:
    """Mel filters for one of the windows, without those that no frequency falls into.

    Args:
        n_mels: as many of them; as many as there are for every window of `WINDOWS` if not given.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of empty filters, which are dropped
        filters: Tensor = torchaudio.functional.melscale_fbanks(
            n_fft // 2 + 1, 0.0, sample_rate_hz / 2, n_mels or round(n_fft / 6.4), sample_rate_hz, "slaney", "slaney"
        ).T
    return MelFilters(filters[filters.sum(dim=1) > 0].contiguous().to(device))
