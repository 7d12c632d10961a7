"""The level of a sound along time, and the events in it: where something begins, is loudest, and has ended.

Letters in the shapes: `T` samples, `N` frames of level.
"""

import math
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor

FRAME_S = 0.010
NOTHING_DB = -200.0
"""Level of digital silence."""
SMOOTHED_FRAMES = 2
"""On either side of a frame: the level of noise, and of a low tone, is taken over 50 ms, or it would tremble."""
RISE_DB = 10.0
"""An event begins where the level is so much higher than it was a little before."""
RISE_S = 0.1
"""A little before."""
APART_S = 0.1
"""Events begin farther apart than this."""
HEARD_DB = 40.0
"""What is so much under the loudest of the whole is no event."""
BEHIND_PEAK_S = 0.15
"""An event is loudest within so much of where it begins, however long it lasts: what swells later is its body."""


class SoundEvent(NamedTuple):
    """Something that is heard to begin, in frames."""

    onset: int
    peak: int
    """The loudest frame near the beginning."""
    end: int
    """The frame that the next event begins with, or the one after the last."""


def measure_levels_db(waveform: Tensor, sample_rate_hz: int) -> Tensor:
    """RMS level around every whole frame of 10 ms, dBFS. `[T]` → `[N]`.

    >>> measure_levels_db(torch.tensor([0.1] * 20), 1000).tolist()
    [-20.0, -20.0]
    """
    frame = round(FRAME_S * sample_rate_hz)
    if len(waveform) < frame:
        return waveform.new_zeros(0)
    power = waveform[: len(waveform) // frame * frame].reshape(-1, frame).square().mean(dim=1)
    around = torch.nn.functional.avg_pool1d(
        power[None], 2 * SMOOTHED_FRAMES + 1, 1, SMOOTHED_FRAMES, count_include_pad=False
    )[0]
    return 10.0 * around.clamp(min=10 ** (NOTHING_DB / 10)).log10()


def find_sound_events(levels_db: Tensor, frame_s: float = FRAME_S) -> list[SoundEvent]:
    """Where the level rises at once. `[N]` →

    A sound that is loud from its first frame on begins with an event if it falls behind it, and goes on if it does not.

    >>> levels = torch.tensor([-60.0] * 20 + [-10.0] * 5 + [-30.0] * 20 + [-12.0] + [-40.0] * 10)
    >>> [tuple(event) for event in find_sound_events(levels)]
    [(20, 20, 45), (45, 45, 56)]
    """
    if len(levels_db) == 0 or float(levels_db.max()) <= NOTHING_DB:
        return []
    least = float(levels_db.max()) - HEARD_DB
    heard = levels_db.clamp(min=least)
    n_before, n_apart = max(1, round(RISE_S / frame_s)), round(APART_S / frame_s)
    before = torch.cat([heard.new_full((n_before,), least), heard])
    lowest = before.unfold(0, n_before, 1).amin(dim=1)[: len(heard)]
    rising = ((heard - lowest) >= RISE_DB) & (heard > least)
    onsets: list[int] = []
    for frame in rising.nonzero()[:, 0].tolist():
        starts = frame == 0 or not bool(rising[frame - 1])
        if starts and (not onsets or frame - onsets[-1] > n_apart):
            onsets.append(frame)
    found = []
    for onset, end in pairwise([*onsets, len(heard)]):
        near = heard[onset : min(end, onset + max(1, math.ceil(BEHIND_PEAK_S / frame_s)))]
        peak = onset + int(near.argmax())
        if onset > 0 or float(heard[peak:end].min()) <= float(heard[peak]) - RISE_DB:
            found.append(SoundEvent(onset, peak, end))
    return found
