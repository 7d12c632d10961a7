"""A sound as the front door gives it: samples, what they are made of, and how to hear and keep them.

Letters in the shapes: `T` samples.
"""

import base64
import html
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from numpy.typing import DTypeLike, NDArray

from sda.audio.io import FloatArray
from sda.audio.wav import save_wav
from sda.errors import ConfigError
from sda.generation.provenance import list_main

WRITERS: Mapping[str, Callable[[Path, FloatArray, int], None]] = {".wav": save_wav}
"""How a sound is written, by the ending of the file's name."""


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

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return len(self.waveform) / self.sample_rate_hz

    def save(self, path: str | Path) -> Path:
        """Write it as `generate.py` does: 16 bits, and what is louder than full scale is turned down as a whole.

        Args:
            path: ends in `.wav`; a file that is there is replaced.

        Returns:
            The file, from the root.

        Raises:
            ConfigError: the name's ending says another format.
            OSError: the folder cannot be written.
        """
        target = Path(path).expanduser().absolute()
        write = WRITERS.get(target.suffix.lower())
        if write is None:
            raise ConfigError(f"path={path}: written is {', '.join(WRITERS)} alone. Give a name that ends so.")
        write(target, self.waveform, self.sample_rate_hz)
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
