"""Pictures and pieces of sounds, as the page's player asks for them; little is read at a time, whatever the length."""

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import numpy as np
import soundfile
from PIL import Image

from sda.audio.io import FloatArray, read_mono
from sda.audio.thumbnail import sketch_spectrogram
from sda.errors import DataError
from sda.plain_files import open_plain

N_COLUMNS = 900
N_ROWS = 160
LONGEST_PIECE_S = 60.0
_DARK_TO_BRIGHT = ((0, 0, 4), (59, 15, 112), (140, 41, 129), (222, 73, 104), (254, 159, 109), (252, 253, 191))
"""Colours at equal distances, in between mixed: near matplotlib's magma, which takes a second to import."""


class _OnDisk:
    """Samples of a mono file, read where they are looked at."""

    def __init__(self, file: soundfile.SoundFile):
        self._file = file

    def __len__(self) -> int:
        return int(self._file.frames)

    def __getitem__(self, places: slice) -> FloatArray:
        first, last, _ = places.indices(len(self))
        self._file.seek(first)
        samples: FloatArray = self._file.read(max(0, last - first), "float32", always_2d=True)[:, 0]
        return samples


def draw_picture(path: Path) -> bytes:
    """A spectrogram without a margin, as a PNG.

    Raises:
        DataError: it is no sound of ours.
        OSError: it cannot be read.
    """
    try:
        with open_plain(path) as file, soundfile.SoundFile(file) as sound:
            if not sound.frames:
                raise DataError(f"{path.name} holds no sound.")
            levels = sketch_spectrogram(_OnDisk(sound), sound.samplerate, N_COLUMNS, N_ROWS)
    except (soundfile.LibsndfileError, ValueError) as error:
        raise DataError(f"{path.name} is no sound file: {error}") from error
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
