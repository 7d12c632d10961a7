"""Replay detection: how close generated sound comes to training sound, beside how close real new sound comes.

A generated window counts as a replay when it correlates with some place of the training sound more than 99 % of the
windows of real, unheard sound do (the null), and by no less than 0.3. The limit is set by leaving one recording out: it
is raised until no more than 1 % of the windows of recordings that it was not drawn from exceed it. Sound that is known
to be a copy (the controls) says whether a replay would have been noticed at all. Windows of a second find whole
passages; windows of a quarter of a second find collages, made of short pieces.

Letters in the shapes: `Q` windows, `S` sounds.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sda.audio.waveform import read_waveform
from sda.bootstrap import Estimate, FloatArray, draw_weights, enclose
from sda.evaluation.search import Matches
from sda.evaluation.sounds import Sound, Window
from sda.wording import format_share

WINDOW_S = 1.0
PIECE_S = 0.25
NULL_QUANTILE = 0.99
"""A replay is closer to training sound than this share of unheard sound."""
LEAST_CORRELATION = 0.3
"""Windows that correlate less are not alike, however much less unheard sound does: a smooth model's sound is a little
like all sounds of its corpus."""
NARROWING = tuple(1.0 - 0.025 * step for step in range(33))
"""Factors that are tried on the distance of the null's percentile from 1, see `calibrate`."""
FEWEST_NULL_WINDOWS = 30
FEWEST_NULL_FILES = 4
"""With fewer files, or windows, the null's 99th percentile means little."""
LEAST_SENSITIVITY = 0.9
"""Share of plain copies that must be recognised for the test to say anything."""
N_REPLICATES = 400
Z_SQUARED = 1.96**2
"""Of the standard normal, two-sided at 95 %."""


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
    """The limit that the null sets, see `calibrate`."""
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
            return f"only {format_share(copies.rate)} of plain copies of training sound would be noticed"
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
    threshold = calibrate(null)
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


def calibrate(null: Similarity, weights: FloatArray | None = None) -> float:
    """The correlation above which a window is a replay; 1 where there is no unheard sound.

    Windows of one recording are alike, so that the 99th percentile of a few recordings is exceeded by far more than
    1 % of the windows of another. The distance of the percentile from 1 is therefore narrowed, by as little as will
    do, until windows of a recording exceed what the other recordings set in no more than 1 % of all cases.

    Args:
        null: of unheard sound; `sound` tells its recordings apart.
        weights: how often each recording counts `[K]`, once if not given.
    """
    if len(null.correlation) == 0:
        return 1.0
    recordings, place = np.unique(null.sound, return_inverse=True)
    counts = np.ones(len(recordings)) if weights is None else weights
    order = np.argsort(null.correlation)
    ordered, owner = null.correlation[order], place[order]

    def set_limit(of_recordings: FloatArray) -> float:
        reached = np.cumsum(of_recordings[owner])
        return float(ordered[np.searchsorted(reached, NULL_QUANTILE * reached[-1])])

    limit = set_limit(counts)
    present = np.flatnonzero(counts)
    if len(present) < 2:
        return max(limit, LEAST_CORRELATION)
    others = np.ones(len(recordings))
    for one in present:
        others[one] = set_limit(np.where(np.arange(len(recordings)) == one, 0.0, counts))
    of_windows = counts[owner]
    for factor in NARROWING:
        exceeded = ordered > np.maximum(1.0 - factor * (1.0 - others), LEAST_CORRELATION)[owner]
        if exceeded @ of_windows / of_windows.sum() <= 1.0 - NULL_QUANTILE:
            break
    return max(1.0 - factor * (1.0 - limit), LEAST_CORRELATION)


def _estimate_rate(null: Similarity, generated: Similarity, threshold: float, seed: int) -> Estimate:
    """The share of generated windows above the threshold, over draws of unheard recordings and of generated sounds.

    Where no window is above it, or all are, draws of the same sounds say nothing of others: the interval is never
    tighter than one of a share among so many independent windows.
    """
    if len(generated.correlation) == 0 or len(null.correlation) == 0:
        return Estimate(float("nan"), float("nan"), float("nan"))
    rate = float((generated.correlation > threshold).mean())
    n_recordings = len(np.unique(null.sound))
    sounds, place = np.unique(generated.sound, return_inverse=True)
    if min(n_recordings, len(sounds)) < 2:
        return Estimate(rate, float("nan"), float("nan"))
    limits = [calibrate(null, drawn) for drawn in draw_weights(n_recordings, seed, N_REPLICATES)]
    weights = draw_weights(len(sounds), seed + 1, N_REPLICATES)[:, place]
    replicates = np.array(
        [np.average(generated.correlation > limit, weights=drawn) for limit, drawn in zip(limits, weights, strict=True)]
    )
    found = enclose(rate, replicates, min(n_recordings, len(sounds)))
    low, high = enclose_share(rate, count_independent(generated))
    return Estimate(rate, max(0.0, min(low, found.low)), min(1.0, max(high, found.high)))


def count_independent(similarity: Similarity) -> float:
    """How many independent windows say as much as these, of which those of one sound are alike.

    It is their number over the design effect `1 + (n − 1) · ρ`, with `n` windows a sound and the correlation `ρ` of the
    windows of one sound, found by the analysis of variance of their ranks. At least one a sound.

    Reference:
        Kish, "Survey Sampling", 1965, section 5.4; Donner & Koval, "The estimation of intraclass correlation in the
        analysis of family data", Biometrics 1980.
    """
    _, place, counts = np.unique(similarity.sound, return_inverse=True, return_counts=True)
    n_windows, n_sounds = len(place), len(counts)
    if n_sounds == n_windows or n_sounds < 2:
        return float(n_sounds)
    ranks = similarity.correlation.argsort().argsort().astype(np.float64)
    means = np.bincount(place, ranks) / counts
    between = float((counts * np.square(means - ranks.mean())).sum()) / (n_sounds - 1)
    within = float(np.square(ranks - means[place]).sum()) / (n_windows - n_sounds)
    usual = (n_windows - float(np.square(counts).sum()) / n_windows) / (n_sounds - 1)
    alike = (between - within) / (between + (usual - 1) * within) if between > 0 else 0.0
    return n_windows / (1 + (n_windows / n_sounds - 1) * min(1.0, max(0.0, alike)))


def enclose_share(share: float, n: float) -> tuple[float, float]:
    """The interval of a share that was found among `n` independent things, 95 %.

    >>> [round(bound, 3) for bound in enclose_share(0.0, 16)]
    [0.0, 0.194]

    Reference:
        Wilson, "Probable Inference, the Law of Succession, and Statistical Inference", JASA 1927.
    """
    centre = (share + Z_SQUARED / (2 * n)) / (1 + Z_SQUARED / n)
    half = math.sqrt(Z_SQUARED * (share * (1 - share) + Z_SQUARED / (4 * n)) / n) / (1 + Z_SQUARED / n)
    return max(0.0, centre - half), min(1.0, centre + half)


def cut_match(sound: Sound, start_s: float, n_samples: int, sample_rate_hz: int) -> Tensor:
    """The place that a match points to, to listen to. → `[n_samples]` or shorter at the end of the sound."""
    first = max(0, round((start_s - sound.start_s) * sample_rate_hz))
    return read_waveform(sound.waveform[first : first + n_samples])
