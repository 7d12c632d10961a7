"""Spectrograms to look at. Matplotlib, which takes a second to import, is imported for the first one."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from sda.audio.io import FloatArray
from sda.audio.mel import LogMel, log_to_db

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

RANGE_DB = 80.0
"""Levels this far below the loudest are drawn black."""

_HEIGHT, _PANEL_WIDTH, _EXTRA_WIDTH = 3.4, 4.2, 0.8
_LEFT, _RIGHT, _BOTTOM, _TOP = 0.85, 1.0, 0.55, 0.35
_GAP = 0.65
"""Between panels; all in inches. They are given, as finding them by what the words take draws everything twice more."""
_BAR_PAD, _BAR_WIDTH = 0.12, 0.14
"""Of the scale of levels, from the last panel."""


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
    figure, axes, bar = _lay_out(len(panels))
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
    figure.colorbar(image, cax=bar, label="level in dB")
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=100)


def _lay_out(n_panels: int) -> "tuple[Figure, list[Axes], Axes]":
    """A figure with so many panels, and the place of the scale of levels beside them."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    width = _PANEL_WIDTH * n_panels + _EXTRA_WIDTH
    panel_width = (width - _LEFT - _RIGHT - _GAP * (n_panels - 1)) / n_panels
    figure = Figure(figsize=(width, _HEIGHT))
    FigureCanvasAgg(figure)

    def place(left: float, of_width: float) -> "Axes":
        height = (_HEIGHT - _BOTTOM - _TOP) / _HEIGHT
        return figure.add_axes((left / width, _BOTTOM / _HEIGHT, of_width / width, height))

    axes = [place(_LEFT + number * (panel_width + _GAP), panel_width) for number in range(n_panels)]
    return figure, axes, place(width - _RIGHT + _BAR_PAD, _BAR_WIDTH)


def _band_centres_hz(features: LogMel) -> FloatArray:
    """Frequency at the peak of every mel filter."""
    bins = features.filters.cpu().argmax(dim=1).numpy()
    centres: FloatArray = (bins * features.sample_rate_hz / features.n_fft).astype(np.float32)
    return centres
