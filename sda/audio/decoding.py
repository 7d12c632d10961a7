"""One sound of a file decoded block by block by libsndfile, which opens the file itself or a view of it."""

import contextlib
import os
from collections.abc import Iterator
from typing import BinaryIO

import numpy as np
import soundfile
from numpy.typing import NDArray

from sda.audio.containers import Content
from sda.audio.decoder_words import no_decoder_words
from sda.audio.foreign import KEEP
from sda.audio.view import View

UNKNOWN_FRAMES = 2**63 - 1
"""What libsndfile announces where a header leaves the length open, as that of a FLAC written to a pipe."""


class BrokenSoundError(ValueError):
    """Decoding ends before the sound does."""


def list_sources(path: str | os.PathLike[str], file: BinaryIO, content: Content) -> list[str | View]:
    """What libsndfile opens, for each sound."""
    return [os.fspath(path)] if content.is_plain else [View(file, pieces) for pieces in content.sounds]


def decode_sound(source: str | View, block_samples: int) -> Iterator[NDArray[np.float32]]:
    """Blocks of one sound, no further than its header says: what lies behind it would be decoded as more of it.

    Args:
        block_samples: decoded at a time, over all channels.

    Yields:
        Arrays `[<= block_samples / C, C]`, float32.

    Raises:
        BrokenSoundError: decoding fails midway.
    """
    with no_decoder_words():
        sound = soundfile.SoundFile(source)
    with sound:
        # Else soundfile seeks after every block, and what follows a seek in an MP3 is decoded wrongly.
        sound.seekable = lambda: False
        n_block, n_left = max(1, block_samples // sound.channels), sound.frames
        while n_left > 0:
            try:
                with no_decoder_words():
                    block = sound.read(min(n_block, n_left), dtype="float32", always_2d=True)
            except soundfile.LibsndfileError as error:
                raise BrokenSoundError(_describe_break(source, error)) from error
            if isinstance(source, View) and source.error:
                raise source.error
            if len(block) == 0:
                return
            n_left -= len(block)
            yield block


def _describe_break(source: str | View, error: soundfile.LibsndfileError) -> str:
    """How much of a sound can be decoded that fails midway; decoded again, because a block that fails is lost whole."""
    if isinstance(source, View):
        source.seek(0)
    n_decoded, n_step = 0, 1 << 10
    with no_decoder_words(), soundfile.SoundFile(source) as sound:
        sound.seekable = lambda: False
        with contextlib.suppress(soundfile.LibsndfileError):
            while n_decoded < sound.frames and (n_read := len(sound.read(n_step, always_2d=True))):
                n_decoded += n_read
        decoded_s = n_decoded / sound.samplerate
        whole = f" of its {sound.frames / sound.samplerate:.2f} s" if sound.frames < UNKNOWN_FRAMES else ""
    words = error.error_string.removeprefix("Error : ").rstrip(".")
    return f"only {decoded_s:.2f} s{whole} can be decoded ({words}); copy or export it again, {KEEP}"
