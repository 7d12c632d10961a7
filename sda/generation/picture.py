"""Spectrograms to look at."""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from sda.audio.io import FloatArray
from sda.audio.mel import LogMel, log_to_db

RANGE_DB = 80.0
"""Levels this far below the loudest are drawn black."""


def draw_spectrograms(path: str | os.PathLike[str], panels: Sequence[tuple[str, FloatArray]], features: LogMel) -> None:
    """Draw mel spectrograms side by side on one scale of level, and save them as a PNG.

    Args:
        panels: title and waveform `[T]` of each.
    """
    spectrograms = [
        log_to_db(features(torch.from_numpy(waveform)[None].to(features.window.device))[0]).cpu().numpy()
        for _, waveform in panels
    ]
    top = max(float(spectrogram.max()) for spectrogram in spectrograms)
    figure = Figure(figsize=(4.2 * len(panels) + 0.8, 3.4), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(1, len(panels), squeeze=False)[0]
    centres_hz = _band_centres_hz(features)
    ticks_hz = [hz for hz in (100, 300, 1000, 3000, 10000) if hz < centres_hz[-1]]
    for axis, (title, waveform), spectrogram in zip(axes, panels, spectrograms, strict=True):
        image = axis.imshow(
            spectrogram - top,
            origin="lower",
            aspect="auto",
            vmin=-RANGE_DB,
            vmax=0.0,
            cmap="magma",
            extent=(0.0, len(waveform) / features.sample_rate_hz, 0.0, float(features.n_mels)),
        )
        axis.set_title(title)
        axis.set_xlabel("time in s")
        axis.set_yticks(np.interp(ticks_hz, centres_hz, np.arange(features.n_mels)), [f"{hz:g}" for hz in ticks_hz])
    axes[0].set_ylabel("frequency in Hz")
    figure.colorbar(image, ax=axes, label="level in dB")
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=100)


def _band_centres_hz(features: LogMel) -> FloatArray:
    """Frequency at the peak of every mel filter."""
    bins = features.filters.cpu().argmax(dim=1).numpy()
    centres: FloatArray = (bins * features.sample_rate_hz / features.n_fft).astype(np.float32)
    return centres
