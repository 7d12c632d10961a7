"""Whether generated sound, taken together, is like unheard real sound, taken together.

Windows of one file are near-copies of each other. Pairs within a file are therefore left out, and intervals are over
files: without that, any two sets of files would seem to differ.

Letters in the shapes: `N`, `M` windows, `D` dimensions, `K` and `L` files, `R` replicates.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sda.bootstrap import Estimate, draw_weights, enclose
from sda.evaluation.sounds import spread

NEIGHBOURS = 5
"""k of density and coverage."""
FEWEST_WINDOWS = 24
FEWEST_FILES = 4
"""With fewer windows, or files, on a side a score says more about the choice of them than about the sound."""

Vectors = NDArray[np.float64]
Labels = NDArray[np.intp]


@dataclass(frozen=True)
class Sample:
    """Embedded windows, and which file each was cut from."""

    vectors: Vectors
    """`[N, D]`."""
    files: Labels
    """`[N]`."""

    @property
    def n_files(self) -> int:
        """How many different files there are."""
        return len(np.unique(self.files))


@dataclass(frozen=True)
class Likeness:
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
    n_windows: int
    n_held_out_windows: int
    n_held_out_files: int


def find_shortage(generated: Sample, held_out: Sample, train: Sample) -> str:
    """Why there is too little to compare, in words; empty where there is enough."""
    for name, sample in (("generated", generated), ("held-out", held_out), ("training", train)):
        if len(sample.vectors) < FEWEST_WINDOWS or sample.n_files < FEWEST_FILES:
            return (
                f"too few to tell: {len(sample.vectors)} {name} windows of {sample.n_files} sounds, "
                f"and it takes {FEWEST_WINDOWS} of {FEWEST_FILES}"
            )
    return ""


def compare(generated: Sample, held_out: Sample, train: Sample, seed: int = 0) -> Likeness:
    """Score generated and training sound against held-out sound, with as many windows of either.

    Raises:
        ValueError: there is too little to compare, see `find_shortage`.
    """
    shortage = find_shortage(generated, held_out, train)
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
    ratios = np.maximum(of_generated[1], 0.0) / np.maximum(of_train[1], noise)
    return Likeness(
        mmd2=enclose(*of_generated, fewest),
        mmd2_train=enclose(*of_train, fewest),
        ratio=_at_least_0(enclose(max(of_generated[0], 0.0) / max(of_train[0], noise), ratios, fewest)),
        density=density,
        coverage=coverage,
        density_train=density_train,
        coverage_train=coverage_train,
        n_windows=n_windows,
        n_held_out_windows=len(held_out.vectors),
        n_held_out_files=held_out.n_files,
    )


def thin_out(sample: Sample, n_windows: int) -> Sample:
    """At most so many windows, spread evenly."""
    chosen = spread(range(len(sample.files)), n_windows)
    return Sample(sample.vectors[chosen], sample.files[chosen])


def mmd2(x: Sample, y: Sample, bandwidth: float) -> float:
    """Squared maximum mean discrepancy under a Gaussian kernel, unbiased over files; it may be below 0.

    Raises:
        ValueError: a side has fewer than two files.

    Reference:
        Gretton et al., "A Kernel Two-Sample Test", JMLR 2012, lemma 6; Chung et al., "KAD: No More FAD!", 2025, on
        why not the Fréchet distance with few windows.
    """
    return replicate_mmd2(x, y, bandwidth, n_replicates=1)[0]


def replicate_mmd2(
    x: Sample, y: Sample, bandwidth: float, seed: int = 0, n_replicates: int = 400
) -> tuple[float, NDArray[np.float64]]:
    """`mmd2`, and its values over draws of the files of both sides `[R]`; NaN where one file alone was drawn."""
    if x.n_files < 2 or y.n_files < 2:
        raise ValueError(f"MMD² needs two files on either side: {x.n_files} and {y.n_files}")
    places = [np.unique(sample.files, return_inverse=True)[1] for sample in (x, y)]
    sums = [
        _sum_by_file(gaussian_kernel(a.vectors, b.vectors, bandwidth), rows, columns)
        for a, rows, b, columns in (
            (x, places[0], x, places[0]),
            (y, places[1], y, places[1]),
            (x, places[0], y, places[1]),
        )
    ]
    counts = [np.bincount(place).astype(np.float64) for place in places]
    pairs = [np.outer(counts[0], counts[0]), np.outer(counts[1], counts[1]), np.outer(counts[0], counts[1])]
    for within in (sums[0], sums[1], pairs[0], pairs[1]):
        np.fill_diagonal(within, 0.0)

    def evaluate(of_x: NDArray[np.float64], of_y: NDArray[np.float64]) -> NDArray[np.float64]:
        sides = ((of_x, of_x), (of_y, of_y), (of_x, of_y))
        means = [
            np.einsum("rk,kl,rl->r", left, total, right) / np.maximum(np.einsum("rk,kl,rl->r", left, n, right), 1e-12)
            for (left, right), total, n in zip(sides, sums, pairs, strict=True)
        ]
        score: NDArray[np.float64] = means[0] + means[1] - 2.0 * means[2]
        return score

    value = evaluate(np.ones((1, x.n_files)), np.ones((1, y.n_files)))[0]
    weights = [draw_weights(sample.n_files, seed + number, n_replicates) for number, sample in enumerate((x, y))]
    replicates = evaluate(weights[0], weights[1])
    for drawn in weights:
        replicates[(drawn > 0).sum(axis=1) < 2] = np.nan
    return float(value), replicates


def density_and_coverage(generated: Sample, real: Sample, k: int = NEIGHBOURS) -> tuple[float, float]:
    """How well generated sound fills the places where real sound is, and how many of them it reaches.

    The neighbourhood of a real window reaches to its k-th nearest window of another file.

    Raises:
        ValueError: real sound has fewer than `k` windows in other files.

    Reference:
        Naeem et al., "Reliable Fidelity and Diversity Metrics for Generative Models", ICML 2020, equations 4 and 5.
    """
    among_real = _distances(real.vectors, real.vectors)
    among_real[real.files[:, None] == real.files[None]] = np.inf
    radius = np.partition(among_real, k - 1, axis=1)[:, k - 1]
    if not np.isfinite(radius).all():
        raise ValueError(f"density and coverage need {k} windows in other files for every window")
    inside = _distances(real.vectors, generated.vectors) < radius[:, None]
    return float(inside.sum() / (k * len(generated.vectors))), float(inside.any(axis=1).mean())


def gaussian_kernel(x: Vectors, y: Vectors, bandwidth: float) -> NDArray[np.float64]:
    """`exp(−‖x − y‖² / (2 · bandwidth²))`. `[N, D]`, `[M, D]` → `[N, M]`."""
    kernel: NDArray[np.float64] = np.exp(-np.square(_distances(x, y)) / (2.0 * bandwidth**2))
    return kernel


def median_distance(vectors: Vectors) -> float:
    """The median distance between two different vectors: the usual width of the kernel.

    Reference:
        Gretton et al., "A Kernel Two-Sample Test", JMLR 2012, section 8.
    """
    distances = _distances(vectors, vectors)[np.triu_indices(len(vectors), 1)]
    return max(float(np.median(distances)), 1e-6)


def _at_least_0(estimate: Estimate) -> Estimate:
    return Estimate(estimate.value, max(0.0, estimate.low), estimate.high)


def _distances(x: Vectors, y: Vectors) -> NDArray[np.float64]:
    square = np.square(x).sum(axis=1)[:, None] + np.square(y).sum(axis=1)[None] - 2.0 * x @ y.T
    distances: NDArray[np.float64] = np.sqrt(np.maximum(square, 0.0))
    return distances


def _sum_by_file(kernel: NDArray[np.float64], rows: Labels, columns: Labels) -> NDArray[np.float64]:
    """`[N, M]` → `[K, L]`."""
    by_row = np.zeros((rows.max() + 1, kernel.shape[1]))
    np.add.at(by_row, rows, kernel)
    by_both = np.zeros((columns.max() + 1, rows.max() + 1))
    np.add.at(by_both, columns, by_row.T)
    return by_both.T
