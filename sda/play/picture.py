"""Pictures and pieces of sounds, as the page's player asks for them; little is read at a time, whatever the length."""

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from PIL import Image

from sda.audio.io import read_mono
from sda.audio.thumbnail import sketch_spectrogram
from sda.errors import DataError
from sda.plain_files import open_plain

N_COLUMNS = 900
N_ROWS = 160
HEADER_BYTES = 44
"""Of a WAV that generating wrote, but for those beyond 4 GB."""
LONGEST_PIECE_S = 60.0
_DARK_TO_BRIGHT = ((0, 0, 4), (59, 15, 112), (140, 41, 129), (222, 73, 104), (254, 159, 109), (252, 253, 191))
"""Colours at equal distances, in between mixed: near matplotlib's magma, which takes a second to import."""


def draw_picture(path: Path) -> bytes:
    """A spectrogram without a margin, as a PNG.

    Raises:
        DataError: it is no sound of ours.
        OSError: it cannot be read.
    """
    with open_plain(path) as file:
        if file.read(4) not in (b"RIFF", b"RF64"):
            raise DataError(f"{path.name} is no WAV file.")
        rate_hz = int.from_bytes(file.read(24)[20:24], "little")
        n_samples = max(0, file.seek(0, 2) - HEADER_BYTES) // 2
        if not (1000 <= rate_hz <= 768000 and n_samples):
            raise DataError(f"{path.name} holds no sound.")
        waveform: Any = np.memmap(file, np.dtype("<i2"), "r", HEADER_BYTES, (n_samples,))
        levels = sketch_spectrogram(waveform, rate_hz, N_COLUMNS, N_ROWS)
    image = Image.fromarray((levels * 255).round().astype(np.uint8), "L").convert("P")
    image.putpalette(_mix_colours())
    picture = BytesIO()
    image.save(picture, "PNG")
    return picture.getvalue()


def read_in_pieces(path: Path) -> Iterator[bytes]:
    """A file's bytes.

    Raises:
        OSError: it is not there, or is no plain file.
    """
    with open_plain(path) as file:
        while piece := file.read(1 << 16):
            yield piece


def cut_wav(path: Path, rate_hz: int, start_s: float, length_s: float) -> bytes:
    """A piece of a recording, as a WAV.

    Raises:
        DataError: it cannot be read as sound, or ends before.
    """
    first, n_left = round(start_s * rate_hz), round(min(length_s, LONGEST_PIECE_S) * rate_hz)
    kept = []
    for block in read_mono(path, rate_hz):
        piece = block[first:][:n_left]
        first, n_left = max(0, first - len(block)), n_left - len(piece)
        kept.append(piece.copy())
        if n_left <= 0:
            break
    sound = np.concatenate(kept) if kept else np.zeros(0, np.float32)
    if not len(sound):
        raise DataError(f"{path.name} ends before {start_s:g} s.")
    written = BytesIO()
    soundfile.write(written, np.clip(sound, -1.0, 1.0), rate_hz, "PCM_16", format="WAV")
    return written.getvalue()


def _mix_colours() -> bytes:
    places = np.linspace(0, len(_DARK_TO_BRIGHT) - 1, 256)
    channels = [
        np.interp(places, range(len(_DARK_TO_BRIGHT)), channel) for channel in zip(*_DARK_TO_BRIGHT, strict=True)
    ]
    return np.stack(channels, axis=1).round().astype(np.uint8).tobytes()
