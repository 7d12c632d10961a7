"""The report of `scan.py` as one HTML file that needs nothing else: no script, no request, pictures inside."""

import base64
from dataclasses import dataclass
from io import BytesIO

import numpy as np
from matplotlib import colormaps
from PIL import Image

from sda.audio.io import FloatArray
from sda.audio.thumbnail import RANGE_DB, sketch_spectrogram, trace_outline
from sda.data.cache import SoundCache
from sda.printable import make_printable
from sda.report.file_table import LIMITS, SIDES, Entry, format_cells
from sda.report.page import render_page
from sda.report.scan_report import FolderReport
from sda.report.training_estimate import describe_split, describe_steps
from sda.shell import name_verb

WIDTH, HEIGHT = 160, 56
"""Size of either picture of a sound, in pixels."""
N_COLOURS = 32
"""Shades of a spectrogram, two decibels each; more would only make the page larger."""
GOLDEN_ANGLE_DEGREES = 137.5
"""Turning the hue by this for every group keeps neighbours apart, however many there are."""
COLUMNS = {
    "length": "length, s",
    "rate": "rate, kHz",
    "channels": "channels",
    "encoding": "encoding",
    "peak": "peak, dBFS",
    "level": "level, dBFS",
    "clipped": "clipped, %",
    "silence": "silence, %",
    "bandwidth": "up to, kHz",
    "offset": "DC offset",
}
"""What was measured, with its heading."""


@dataclass(frozen=True)
class Row:
    """One file on the page."""

    entry: Entry
    measured: bool
    """Whether there is anything in the cells."""
    cells: dict[str, str]
    hue: int
    """Of its group, in degrees."""
    outline: str
    """SVG path of the waveform, scaled to its own peak; empty where there is no sound."""
    peak: float
    """Of the waveform, at most 1: what the outline is scaled by to stand at its true level."""
    picture: str
    """Spectrogram as a data URI."""


def draw_page(report: FolderReport, cache: SoundCache) -> str:
    """The whole page.

    Args:
        cache: holds the waveforms of all files that could be decoded.
    """
    estimate = report.estimate
    return render_page(
        "scan.html.j2",
        report=report,
        train=name_verb("train"),
        folder=make_printable(report.name),
        estimate=estimate,
        split_lines=describe_split(estimate) if estimate is not None else [],
        steps_line=describe_steps(estimate) if estimate is not None else "",
        rows=draw_rows(report.entries, cache),
        columns=COLUMNS,
        sides=SIDES,
        limits=LIMITS,
        range_db=RANGE_DB,
        width=WIDTH,
        height=HEIGHT,
    )


def draw_rows(entries: list[Entry], cache: SoundCache) -> list[Row]:
    """Every file with its pictures."""
    labels = list(dict.fromkeys(entry.group for entry in entries if entry.group))
    hues = {label: round(number * GOLDEN_ANGLE_DEGREES) % 360 for number, label in enumerate(labels)}
    rows = []
    for entry in entries:
        waveform = cache.open_waveform(entry.file.sha256) if entry.file.sha256 else None
        path, peak, picture = "", 0.0, ""
        if waveform is not None and len(waveform):
            outline = trace_outline(waveform, WIDTH)
            path, peak = trace_path(outline), min(1.0, float(np.abs(outline).max()))
            picture = encode_picture(sketch_spectrogram(waveform, cache.sample_rate_hz, WIDTH, HEIGHT))
        measured = entry.file.measured
        hue = hues.get(entry.group, 0)
        rows.append(Row(entry, measured.n_frames > 0, format_cells(measured), hue, path, peak, picture))
    return rows


def trace_path(outline: FloatArray, height: int = HEIGHT) -> str:
    """An outline `[2, W]` as an SVG path of vertical strokes around 0, its largest as tall as `height`.

    >>> trace_path(np.array([[-0.5, -0.25], [0.5, 0.5]]), 8)
    'M0-4V4M1-4V2'
    """
    largest = max(float(np.abs(outline).max()), 1e-9)
    lows, highs = np.round(-outline[::-1] * (height / 2 / largest)).astype(int)  # down is positive in a picture
    # A stroke of no length would not be seen.
    return "".join(
        f"M{x} {low}V{max(low + 1, high)}" for x, (low, high) in enumerate(zip(lows, highs, strict=True))
    ).replace(" -", "-")


def encode_picture(levels: FloatArray) -> str:
    """Levels `[H, W]` in [0, 1] as a PNG in a data URI."""
    shades = np.round(levels * (N_COLOURS - 1)).astype(np.uint8)
    image = Image.fromarray(shades, "P")
    image.putpalette((colormaps["magma"](np.linspace(0, 1, N_COLOURS))[:, :3] * 255).round().astype(np.uint8).tobytes())
    buffer = BytesIO()
    image.save(buffer, "PNG", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"
