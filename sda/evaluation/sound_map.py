"""A map of sound: windows of all kinds in the plane, by variance and by neighbourhood."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sda.evaluation.sounds import Sound, Window, cut, list_windows
from sda.evaluation.suite import EvaluationAudio
from sda.models.plane import arrange_neighbours, project
from sda.subsample import subsample_evenly

MOST_POINTS = {"train": 160, "held_out": 80, "generated": 64}
"""Windows of each kind on the map: every one of them brings its sound along."""


@dataclass(frozen=True)
class MapPoint:
    """A window of sound in the plane."""

    kind: str
    sound: Sound
    start_s: float
    clip: Tensor
    by_variance: tuple[float, float]
    """Place in the two directions of largest variance."""
    by_neighbours: tuple[float, float]
    """Place where neighbours stay neighbours (t-SNE)."""


def draw_map(
    audio: EvaluationAudio, n_samples: int, encode: Callable[[Tensor, Tensor], Tensor], seed: int
) -> tuple[list[MapPoint], float]:
    """Windows of all kinds of sound in the plane, and the share of variance that two directions hold.

    Args:
        encode: from windows of real sound (`[R, T]`, to be scaled by) and windows (`[B, T]`) to vectors `[B, D]`.
    """
    kinds = {"train": audio.train, "held_out": audio.held_out, "generated": audio.generated}
    chosen: list[tuple[str, Sound, Window]] = []
    clips: list[Tensor] = []
    for kind, sounds in kinds.items():
        windows = subsample_evenly(list_windows(sounds, n_samples, n_samples), MOST_POINTS[kind])
        chosen += [(kind, sounds[window.sound], window) for window in windows]
        clips += list(cut(sounds, windows, n_samples))
    if len(clips) < 8:
        return [], 0.0
    is_real = torch.tensor([kind != "generated" for kind, _, _ in chosen])
    every = torch.stack(clips)
    vectors = encode(every[is_real], every).cpu()
    (places,), share = project(vectors[is_real], vectors)
    by_neighbours = arrange_neighbours(vectors, seed)
    points = [
        MapPoint(kind, sound, sound.start_s + window.start / audio.sample_rate_hz, clip, _pair(place), _pair(near))
        for (kind, sound, window), clip, place, near in zip(chosen, clips, places, by_neighbours, strict=True)
    ]
    return points, share


def _pair(row: NDArray[np.float64]) -> tuple[float, float]:
    return float(row[0]), float(row[1])
