"""A sound as the front door gives it: samples, what they are made of, and how to hear and keep them.

Letters in the shapes: `T` samples.
"""

import base64
import html
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from numpy.typing import DTypeLike, NDArray

from sda.audio.io import FloatArray
from sda.audio.sound_file import FORMATS, write_sound
from sda.config.verbs import HIGHEST_RATE_HZ, LOWEST_RATE_HZ
from sda.errors import ConfigError
from sda.generation.provenance import list_main


@dataclass(frozen=True, eq=False)
class Sound:
    """A sound that was made, mono; it stands for its samples wherever NumPy takes an array.

    >>> sound = Sound(np.zeros(8000, np.float32), 16000)
    >>> sound
    Sound(0.50 s at 16000 Hz)
    >>> float(np.abs(sound).max()), len(sound)
    (0.0, 8000)
    """

    waveform: FloatArray
    """`[T]`, float32, as loud as the sounds that the model was trained on; full scale is 1."""
    sample_rate_hz: int
    seed: int | None = None
    number: int = 1
    """Which of the sounds that the seed gives, from 1."""
    sources: tuple[str, ...] = ()
    """What it was made from, where sound was given: paths, or the names of arguments."""
    provenance: Mapping[str, Any] = field(default_factory=dict)
    """What it is made of, as in `generated.json`: `shares` of the whole by recording, and `stretches` of half a second
    with theirs. Empty where nothing can be known."""

    origin: str = ""
    """How it was made, in words that a file keeps inside; names of folders are left out."""

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return len(self.waveform) / self.sample_rate_hz

    def save(
        self, path: str | os.PathLike[str], *, file_format: str | None = None, sample_rate_hz: int | None = None
    ) -> Path:
        """Write it as `sda generate` does: louder than full scale is turned down as a whole, but in floats.

        Args:
            path: a file that is there is replaced.
            file_format: wav16, wav24, wav32f or flac; what the name's ending says if not given, WAV of 16 bits for WAV.
            sample_rate_hz: of the file; its own rate if not given.

        Returns:
            The file, from the root.

        Raises:
            ConfigError: the name's ending says another format, or the rate is out of range.
            OSError: the folder cannot be written.
        """
        target = Path(path).expanduser().absolute()
        allowed = {name: one.suffix for name, one in FORMATS.items() if one.suffix == target.suffix.lower()}
        if not allowed or (file_format is not None and file_format not in allowed):
            known = ", ".join(f"{name} ({one.suffix})" for name, one in FORMATS.items())
            said = "" if file_format is None else f", file_format={file_format}"
            raise ConfigError(f"path={path}{said}: sounds are written as {known}. Give a name that ends so.")
        rate_hz = self.sample_rate_hz if sample_rate_hz is None else sample_rate_hz
        if not LOWEST_RATE_HZ <= rate_hz <= HIGHEST_RATE_HZ and sample_rate_hz is not None:
            raise ConfigError(f"sample_rate_hz={rate_hz} is not allowed: give {LOWEST_RATE_HZ} to {HIGHEST_RATE_HZ}.")
        chosen = next(iter(allowed)) if file_format is None else file_format
        write_sound(target, [self.waveform], self.sample_rate_hz, chosen, file_rate_hz=rate_hz, comment=self.origin)
        return target

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> NDArray[Any]:
        if copy is False and dtype is not None and np.dtype(dtype) != self.waveform.dtype:
            raise ValueError(f"samples of type {dtype} need a copy")
        return np.array(self.waveform, dtype=dtype) if copy else np.asarray(self.waveform, dtype=dtype)

    def __len__(self) -> int:
        return len(self.waveform)

    def __repr__(self) -> str:
        seed = f", seed {self.seed}" if self.seed is not None else ""
        number = f", number {self.number}" if self.number > 1 else ""
        return f"Sound({self.duration_s:.2f} s at {self.sample_rate_hz} Hz{seed}{number})"

    def _repr_html_(self) -> str:
        """A player for a notebook, with what the sound is made of."""
        encoded, peak = BytesIO(), float(np.abs(self.waveform).max(initial=0.0))
        soundfile.write(encoded, self.waveform / max(peak, 1.0), self.sample_rate_hz, format="WAV", subtype="PCM_16")
        address = f"data:audio/wav;base64,{base64.b64encode(encoded.getvalue()).decode('ascii')}"
        words = repr(self)
        if self.provenance:
            shares = self.provenance["shares"]
            words += ": " + ", ".join(f"{name} {100 * shares[name]:.0f} %" for name in list_main(dict(self.provenance)))
        return f'<div><audio controls src="{address}"></audio><br><small>{html.escape(words)}</small></div>'
