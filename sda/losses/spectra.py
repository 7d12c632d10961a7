"""Spectra in many resolutions, in which sounds are compared.

Letters in the shapes: `B` batch, `T` samples, `N` frequency bins, `M` mel bands, `F` frames.
"""

import warnings
from functools import cache

import torch
import torchaudio
from torch import Tensor

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
    """Magnitudes of frames a quarter of their length apart, with a gradient on silence too. `[B, T]` → `[B, N, F]`."""
    window = build_window(n_fft, waveform.device)
    spectrum = torch.stft(waveform, n_fft, n_fft // 4, window=window, pad_mode="constant", return_complex=True)
    return (spectrum.real.square() + spectrum.imag.square() + NO_POWER).sqrt()


def take_log(magnitude: Tensor) -> Tensor:
    """Natural logarithm; what is quieter than `MIN_MAGNITUDE` counts as this."""
    return magnitude.clamp(min=MIN_MAGNITUDE).log()


@cache
def build_window(n_fft: int, device: torch.device) -> Tensor:
    """Hann's, periodic. → `[n_fft]`."""
    return torch.hann_window(n_fft, device=device)


@cache
def build_filters(sample_rate_hz: int, n_fft: int, device: torch.device, n_mels: int = 0) -> Tensor:
    """Mel filters for one of the windows, without those that no frequency falls into. → `[M, N]`.

    Args:
        n_mels: as many of them; as many as there are for every window of `WINDOWS` if not given.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of empty filters, which are dropped
        filters: Tensor = torchaudio.functional.melscale_fbanks(
            n_fft // 2 + 1, 0.0, sample_rate_hz / 2, n_mels or round(n_fft / 6.4), sample_rate_hz, "slaney", "slaney"
        ).T
    return filters[filters.sum(dim=1) > 0].contiguous().to(device)
