"""Speed changes undone: a replay that is transposed is a replay.

Training varies the speed of sound, pitch included, and so may whatever draws new sound: each window is searched for as
it is, and as it would be had it been played at another of those speeds.

Letters in the shapes: `Q` windows, `S` sounds, `T` samples, `R` speeds.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from sda.audio.augmentation import SPEED_RATIOS, UNCHANGED, change_speed
from sda.evaluation.patches import PatchFeatures
from sda.evaluation.search import Matches
from sda.parallel import map_in_threads

SPEEDS = (UNCHANGED, *range(len(SPEED_RATIOS)))
"""Indices of `SPEED_RATIOS`; the windows as they are come first."""

FEWEST_FRAMES = 8
"""Windows that last no longer than this at another speed are alike too often."""


def restore(clips: Tensor, speed: int) -> Tensor:
    """Windows at another speed, the beginning of those that become longer. `[Q, T]` → `[Q, T]` or shorter."""
    if speed == UNCHANGED:
        return clips
    n_out, n_in = SPEED_RATIOS[speed]
    n_samples = min(clips.shape[1], clips.shape[1] * n_out // n_in)
    return change_speed(clips, np.full(len(clips), speed), n_samples)


def list_patches(features: PatchFeatures, clips: Tensor) -> list[Tensor]:
    """Patches of windows at every speed at which they last long enough for one; as they are comes first."""

    def describe(speed: int) -> Tensor | None:
        restored = restore(clips, speed)
        is_told = speed == SPEEDS[0] or features.count_frames(restored.shape[1]) >= FEWEST_FRAMES
        return features.patches(restored) if is_told else None

    return [patches for patches in map_in_threads(describe, SPEEDS) if patches is not None]


def take_best(matches: Sequence[Matches]) -> Matches:
    """Of every window and sound, the best match at any speed. `R` times two `[Q, S]` → two `[Q, S]`."""
    correlation, place = torch.stack([one.correlation for one in matches]).max(dim=0)
    start_s = torch.stack([one.start_s for one in matches]).gather(0, place[None])[0]
    return Matches(correlation, start_s)
