"""New, or a replay? How close generated sound comes to training sound, beside how close real new sound comes.

A generated window counts as a replay when it correlates with some place of the training sound more than 99 % of the
windows of real, unheard sound do (the null), and by no less than 0.3. Sound that is known to be a copy (the controls)
says whether a replay would have been noticed at all. Windows of a second find whole passages; windows of a quarter of a
second find collages, made of short pieces.

Letters in the shapes: `Q` windows, `S` sounds.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sda.bootstrap import Estimate, draw_weights, enclose
from sda.evaluation.search import Matches
from sda.evaluation.sounds import Sound, Window

WINDOW_S = 1.0
PIECE_S = 0.25
NULL_QUANTILE = 0.99
"""A replay is closer to training sound than this share of unheard sound."""
LEAST_CORRELATION = 0.3
"""Windows that correlate less are not alike, however much less unheard sound does: a smooth model's sound is a little
like all sounds of its corpus."""
FEWEST_NULL_WINDOWS = 30
FEWEST_NULL_FILES = 4
"""With fewer files, or windows, the null's 99th percentile means little."""
LEAST_SENSITIVITY = 0.9
"""Share of plain copies that must be recognised for the test to say anything."""
N_REPLICATES = 400


class Similarity(NamedTuple):
    """How close each window of a set comes to the training sound."""

    correlation: NDArray[np.float64]
    """`[Q]`, its highest over all training sounds and lags."""
    source: NDArray[np.intp]
    """Index of the training sound where it is highest, `[Q]`."""
    start_s: NDArray[np.float64]
    """Where in that sound, seconds, `[Q]`."""
    sound: NDArray[np.intp]
    """Index of the sound that the window was cut from, `[Q]`."""
    window_start: NDArray[np.intp]
    """Its first sample there, `[Q]`."""


@dataclass(frozen=True)
class Control:
    """Sound that is a copy of training sound, recognised or not."""

    rate: float
    """Share of its windows above the threshold."""
    median: float
    """Median correlation."""
    n_windows: int


@dataclass(frozen=True)
class Replay:
    """How much of some sound is a replay, at one length of window."""

    rate: Estimate
    """Share of windows above the threshold, NaN where there is nothing to tell it by; its interval covers the choice of
    unheard files and of generated sounds."""
    threshold: float
    """The null's 99th percentile, or 0.3 where that is lower."""
    null_median: float
    n_null_windows: int
    n_null_files: int
    n_windows: int
    controls: dict[str, Control] = field(default_factory=dict)

    @property
    def doubt(self) -> str:
        """Why the rate cannot be relied upon, in words; empty where it can."""
        if self.n_windows == 0:
            return "all generated sound is near-silent, or too short to be searched for"
        if self.n_null_files < FEWEST_NULL_FILES or self.n_null_windows < FEWEST_NULL_WINDOWS:
            return (
                f"too few to tell: {self.n_null_windows} windows of {self.n_null_files} files of unheard sound, "
                f"and it takes {FEWEST_NULL_WINDOWS} of {FEWEST_NULL_FILES}"
            )
        copies = self.controls.get("copies")
        if copies is not None and copies.rate < LEAST_SENSITIVITY:
            return f"only {copies.rate:.0%} of plain copies of training sound would be noticed"
        return ""


def summarise_matches(
    matches: Matches, windows: Sequence[Window], groups: Sequence[str] = (), own_groups: Sequence[str] = ()
) -> Similarity:
    """The nearest training sound of each window.

    Args:
        groups: for each training sound, the group that it belongs to.
        own_groups: for each window, a group whose sounds are passed over: its own recording, where training sound
            itself stands for unheard sound.
    """
    correlation = matches.correlation
    if own_groups:
        own = torch.tensor([[group == own for group in groups] for own in own_groups])
        correlation = correlation.masked_fill(own, -1.0)
    best, source = correlation.max(dim=1)
    start_s = matches.start_s.gather(1, source[:, None])[:, 0]
    return Similarity(
        best.double().numpy(),
        source.numpy(),
        start_s.double().numpy(),
        np.array([window.sound for window in windows], dtype=np.intp),
        np.array([window.start for window in windows], dtype=np.intp),
    )


def join(first: Similarity, second: Similarity) -> Similarity:
    """The windows of two sets as one; sounds of the second are numbered after those of the first."""
    offset = int(first.sound.max(initial=-1)) + 1
    columns = [np.concatenate(pair) for pair in zip(first, second._replace(sound=second.sound + offset), strict=True)]
    return Similarity(*columns)


def measure_replay(null: Similarity, generated: Similarity, controls: dict[str, Similarity], seed: int = 0) -> Replay:
    """The replay rate of generated sound, with its interval, and what the controls say of the test.

    Without unheard sound there is no rate (NaN), and `doubt` says why.
    """
    quantile = float(np.quantile(null.correlation, NULL_QUANTILE)) if len(null.correlation) else 1.0
    threshold = max(quantile, LEAST_CORRELATION)
    n_null_files = len(set(null.sound.tolist()))
    return Replay(
        rate=_estimate_rate(null, generated, threshold, seed),
        threshold=threshold,
        null_median=float(np.median(null.correlation)) if len(null.correlation) else 0.0,
        n_null_windows=len(null.correlation),
        n_null_files=n_null_files,
        n_windows=len(generated.correlation),
        controls={
            name: Control(
                rate=float((control.correlation > threshold).mean()),
                median=float(np.median(control.correlation)),
                n_windows=len(control.correlation),
            )
            for name, control in controls.items()
            if len(control.correlation)
        },
    )


def _estimate_rate(null: Similarity, generated: Similarity, threshold: float, seed: int) -> Estimate:
    """The share of generated windows above the threshold, over draws of unheard files and of generated sounds."""
    if len(generated.correlation) == 0 or len(null.correlation) == 0:
        return Estimate(float("nan"), float("nan"), float("nan"))
    rate = float((generated.correlation > threshold).mean())
    null_files, null_place = np.unique(null.sound, return_inverse=True)
    sounds, place = np.unique(generated.sound, return_inverse=True)
    order = np.argsort(null.correlation)
    null_weights = draw_weights(len(null_files), seed, N_REPLICATES)[:, null_place[order]]
    weights = draw_weights(len(sounds), seed + 1, N_REPLICATES)[:, place]
    replicates = np.zeros(N_REPLICATES)
    for row in range(N_REPLICATES):
        reached = np.cumsum(null_weights[row])
        limit = null.correlation[order][np.searchsorted(reached, NULL_QUANTILE * reached[-1])]
        limit = max(limit, LEAST_CORRELATION)
        replicates[row] = np.average(generated.correlation > limit, weights=weights[row])
    found = enclose(rate, replicates, min(len(null_files), len(sounds)))
    return Estimate(rate, max(0.0, found.low), min(1.0, found.high))


def cut_match(sound: Sound, start_s: float, n_samples: int, sample_rate_hz: int) -> Tensor:
    """The place that a match points to, to listen to. → `[n_samples]` or shorter at the end of the sound."""
    first = max(0, round((start_s - sound.start_s) * sample_rate_hz))
    return sound.waveform[first : first + n_samples]
