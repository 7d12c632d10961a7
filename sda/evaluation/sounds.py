"""Windowing: sounds to be judged, cut into windows of equal length and equal level.

Letters in the shapes: `B` windows, `T` samples of a sound or of a window.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from sda.audio.span import find_sound
from sda.audio.waveform import Waveform, read_waveform

QUIETEST_DBFS = -60.0
"""Windows below this RMS level are left out: of near-silence it cannot be said what it resembles."""

MATCHED_DBFS = -20.0
"""RMS level that windows are brought to before they are compared."""


class Sound(NamedTuple):
    """A sound with the name that it is shown under."""

    name: str
    waveform: Waveform
    """`[T]`, mono, float32."""
    start_s: float = 0.0
    """Where it begins in the file of that name."""


def trim(sound: Sound, sample_rate_hz: int) -> Sound:
    """A sound without the digital silence before and behind it; one that is nothing else stays as it is."""
    first, last = find_sound(read_waveform(sound.waveform)[None])[0].tolist()
    if last == 0:
        return sound
    return Sound(sound.name, sound.waveform[first:last], sound.start_s + first / sample_rate_hz)


class Window(NamedTuple):
    """A place in one of several sounds."""

    sound: int
    """Index of the sound."""
    start: int
    """First sample."""


def list_windows(sounds: Sequence[Sound], n_samples: int, hop_samples: int) -> list[Window]:
    """All windows of `n_samples` that are not near-silent, `hop_samples` apart.

    A sound shorter than a window gives one, filled up with zeros where it is cut.
    """
    windows = []
    for index, sound in enumerate(sounds):
        last = max(0, len(sound.waveform) - n_samples)
        for start in range(0, last + 1, hop_samples):
            piece = read_waveform(sound.waveform[start : start + n_samples])
            if len(piece) and level_dbfs(piece[None])[0] > QUIETEST_DBFS:
                windows.append(Window(index, start))
    return windows


def cut(sounds: Sequence[Sound], windows: Sequence[Window], n_samples: int) -> Tensor:
    """The windows' samples. → `[B, n_samples]`."""
    if not windows:
        return torch.zeros(0, n_samples)
    pieces = [
        read_waveform(sounds[window.sound].waveform[window.start : window.start + n_samples]) for window in windows
    ]
    return torch.stack([torch.nn.functional.pad(piece, (0, n_samples - len(piece))) for piece in pieces])


def level_dbfs(clips: Tensor) -> Tensor:
    """RMS level. `[B, T]` → `[B]`.

    >>> level_dbfs(torch.ones(1, 8) / 10)
    tensor([-20.])
    """
    return 10.0 * clips.square().mean(dim=1).clamp(min=1e-20).log10()


def match_level(clips: Tensor) -> Tensor:
    """The same clips at one RMS level, `[B, T]`; silence stays silent."""
    gain_db = MATCHED_DBFS - level_dbfs(clips)
    return clips * torch.where(gain_db < 100.0, 10 ** (gain_db / 20), 0.0)[:, None]
