"""Distribution distance: whether generated sound, taken together, is like unheard real sound, taken together.

Windows of one file are near-copies of each other. Pairs within a file are therefore left out, and intervals are over
files: without that, any two sets of files would seem to differ.

Letters in the shapes: `N`, `M` windows, `D` dimensions, `K` and `L` files, `R` replicates.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from sda.bootstrap import Estimate, enclose, estimate_mean
from sda.evaluation.mmd import Labels, Sample, _distances, median_distance, replicate_mmd2
from sda.subsample import subsample_evenly

NEIGHBOURS = 5
"""k of density and coverage."""
FEWEST_WINDOWS = 24
FEWEST_FILES = 4
"""With fewer windows, or files, on a side a score says more about the choice of them than about the sound."""


@dataclass(frozen=True)
class DistributionScores:
    """How like unheard sound something is, beside how like it training sound is."""

    mmd2: Estimate
    """Unbiased MMD² to held-out sound; 0 for the same distribution, and then as often below 0 as above."""
    mmd2_train: Estimate
    """The same for training sound."""
    ratio: Estimate
    """The first over the second, or over the second's own noise where that is larger: what cannot be resolved with so
    few files counts as 1. Never below 0."""
    density: float
    """How crowded generated sound is around held-out sound; about 1 for the same distribution."""
    coverage: float
    """Share of held-out windows that generated sound comes close to, in [0, 1]."""
    density_train: float
    coverage_train: float
    coverage_shortfall: Estimate
    """How much more of held-out sound training sound comes close to."""
    excess: Estimate
    """How much farther generated sound lies than training sound does: the difference of the two MMD²."""
    n_windows: int
    n_held_out_windows: int
    n_held_out_files: int
    rebuilt: "RebuiltScores | None" = None
    """Training sound through the model, where there is one."""


@dataclass(frozen=True)
class RebuiltScores:
    """How like unheard sound training sound still is when it has gone through the model, with nothing drawn anew."""

    mmd2: Estimate
    ratio: Estimate
    """As that of generated sound: over what training sound itself scores."""
    density: float
    coverage: float
    lost_rebuilding: Estimate
    """Its MMD² less training sound's."""
    lost_drawing: Estimate
    """Generated sound's MMD² less its own."""


def find_shortage(generated: Labels, held_out: Labels, train: Labels) -> str:
    """Why there is too little to compare, in words; empty where there is enough.

    Args:
        generated: the file of each of its windows, `[N]`; as the other two.
    """
    for name, files in (("generated", generated), ("held-out", held_out), ("training", train)):
        n_files = len(np.unique(files))
        if len(files) < FEWEST_WINDOWS or n_files < FEWEST_FILES:
            return (
                f"too few to tell: {len(files)} {name} windows of {n_files} sounds, "
                f"and it takes {FEWEST_WINDOWS} of {FEWEST_FILES}"
            )
    return ""


def compare(
    generated: Sample, held_out: Sample, train: Sample, seed: int = 0, rebuilt: Sample | None = None
) -> DistributionScores:
    """Score generated, training and rebuilt sound against held-out sound, with as many windows of each.

    Raises:
        ValueError: there is too little to compare, see `find_shortage`.
    """
    shortage = find_shortage(generated.files, held_out.files, train.files)
    if shortage:
        raise ValueError(shortage)
    n_windows = min(len(generated.vectors), len(train.vectors))
    generated, train = thin_out(generated, n_windows), thin_out(train, n_windows)
    bandwidth = median_distance(np.concatenate([held_out.vectors, train.vectors]))
    of_generated = replicate_mmd2(generated, held_out, bandwidth, seed)
    of_train = replicate_mmd2(train, held_out, bandwidth, seed)
    noise = float(np.nanstd(of_train[1]))
    density, coverage = density_and_coverage(generated, held_out)
    density_train, coverage_train = density_and_coverage(train, held_out)
    fewest = min(generated.n_files, held_out.n_files, train.n_files)
    missed = find_covered(train, held_out).astype(np.float64) - find_covered(generated, held_out)
    found = DistributionScores(
        mmd2=enclose(*of_generated, fewest),
        mmd2_train=enclose(*of_train, fewest),
        ratio=_divide(of_generated, of_train, noise, fewest),
        density=density,
        coverage=coverage,
        density_train=density_train,
        coverage_train=coverage_train,
        coverage_shortfall=estimate_mean(missed, held_out.files.tolist(), seed),
        excess=_subtract(of_generated, of_train, fewest),
        n_windows=n_windows,
        n_held_out_windows=len(held_out.vectors),
        n_held_out_files=held_out.n_files,
    )
    if rebuilt is None or find_shortage(rebuilt.files, held_out.files, train.files):
        return found
    rebuilt = thin_out(rebuilt, n_windows)
    of_rebuilt = replicate_mmd2(rebuilt, held_out, bandwidth, seed)
    density, coverage = density_and_coverage(rebuilt, held_out)
    fewest = min(fewest, rebuilt.n_files)
    again = RebuiltScores(
        mmd2=enclose(*of_rebuilt, fewest),
        ratio=_divide(of_rebuilt, of_train, noise, fewest),
        density=density,
        coverage=coverage,
        lost_rebuilding=_subtract(of_rebuilt, of_train, fewest),
        lost_drawing=_subtract(of_generated, of_rebuilt, fewest),
    )
    return replace(found, rebuilt=again)


def thin_out(sample: Sample, n_windows: int) -> Sample:
    """At most so many windows, spread evenly."""
    chosen = subsample_evenly(range(len(sample.files)), n_windows)
    return Sample(sample.vectors[chosen], sample.files[chosen])


def density_and_coverage(generated: Sample, real: Sample, k: int = NEIGHBOURS) -> tuple[float, float]:
    """How well generated sound fills the places where real sound is, and how many of them it reaches.

    The neighbourhood of a real window reaches to its k-th nearest window of another file.

    Raises:
        ValueError: real sound has fewer than `k` windows in other files.

    Reference:
        Naeem et al., "Reliable Fidelity and Diversity Metrics for Generative Models", ICML 2020, equations 4 and 5.
    """
    inside = _distances(real.vectors, generated.vectors) < _reach(real, k)[:, None]
    return float(inside.sum() / (k * len(generated.vectors))), float(inside.any(axis=1).mean())


def find_covered(generated: Sample, real: Sample, k: int = NEIGHBOURS) -> NDArray[np.bool_]:
    """Which real windows generated sound comes close to, see `density_and_coverage`. → `[M]`"""
    covered: NDArray[np.bool_] = np.any(_distances(real.vectors, generated.vectors) < _reach(real, k)[:, None], axis=1)
    return covered


def _reach(real: Sample, k: int) -> NDArray[np.float64]:
    """Distance from each real window to its k-th nearest of another file, `[M]`."""
    among_real = _distances(real.vectors, real.vectors)
    among_real[real.files[:, None] == real.files[None]] = np.inf
    radius = np.partition(among_real, k - 1, axis=1)[:, k - 1]
    if not np.isfinite(radius).all():
        raise ValueError(f"density and coverage need {k} windows in other files for every window")
    return radius


Replicated = tuple[float, NDArray[np.float64]]
"""A figure, and its values over draws of the files."""


def _divide(over: Replicated, under: Replicated, noise: float, n_files: int) -> Estimate:
    """One MMD² over another, or over the other's noise where that is larger; never below 0."""
    replicates = np.maximum(over[1], 0.0) / np.maximum(under[1], noise)
    ratio = enclose(max(over[0], 0.0) / max(under[0], noise), replicates, n_files)
    return Estimate(ratio.value, max(0.0, ratio.low), ratio.high)


def _subtract(whole: Replicated, part: Replicated, n_files: int) -> Estimate:
    """The difference of two MMD² to the same held-out sound, which was drawn alike for both."""
    return enclose(whole[0] - part[0], whole[1] - part[1], n_files)
