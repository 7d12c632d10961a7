"""Level matching: a sound brought to the level that it was asked to have, frame by frame.

Letters in the shapes: `B` batch, `T` samples, `F` frames, `H` samples from frame to frame.
"""

import torch
from torch import Tensor

from sda.audio.mel import measure_level, mirror_ends

SMOOTHED_FRAMES = 8
"""Levels are compared over so many frames to either side: what changes more quickly is the sound's own."""
MAX_CORRECTION = 1.0
"""Most that a level is corrected by (natural log), 9 dB."""
MAX_LEVEL = 12.5
"""Levels asked for count as no higher (natural log): full scale in a window of 2048 is 6.6."""


def follow_level(waveform: Tensor, level: Tensor, window: Tensor, hop_length: int) -> Tensor:
    """The same sound, amplified smoothly until its level is the one that is given. `[B, F · H]` → `[B, F · H]`.

    Spectra of overlapping frames that do not fit each other lose energy when they are added up: how much is known only
    when it is done.

    Args:
        level: natural log of the magnitude of each frame, as `LogMel.level` gives it, `[B, F]`.
        window: of the frames.
    """
    n_frames = level.shape[1]
    padded = mirror_ends(waveform, len(window) // 2)
    own = measure_level(padded, window, hop_length)[:, :n_frames]
    asked, got = (_smooth((2.0 * values).exp()) for values in (level.clamp(max=MAX_LEVEL), own))
    gain = 0.5 * (asked.log() - got.log()).clamp(-2.0 * MAX_CORRECTION, 2.0 * MAX_CORRECTION)
    following = torch.cat([gain[:, 1:], gain[:, -1:]], dim=1)
    share = torch.arange(hop_length, device=gain.device) / hop_length
    curve = torch.lerp(gain[:, :, None], following[:, :, None], share)  # [B, F, H]
    return waveform * curve.flatten(1).exp()


def _smooth(power: Tensor) -> Tensor:
    """Sums of neighbouring frames, those further away with less weight. `[B, F]` → `[B, F]`."""
    weights = torch.hann_window(2 * SMOOTHED_FRAMES + 3, periodic=False, device=power.device)[1:-1]
    smoothed: Tensor = torch.nn.functional.conv1d(power[:, None], weights[None, None], padding=SMOOTHED_FRAMES)[:, 0]
    return smoothed
