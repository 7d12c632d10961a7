"""The maximum mean discrepancy of two sets of windows, and what it would have been of other files."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sda.bootstrap import draw_weights

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


def _distances(x: Vectors, y: Vectors) -> NDArray[np.float64]:
    square = np.square(x).sum(axis=1)[:, None] + np.square(y).sum(axis=1)[None] - 2.0 * x @ y.T
    distances: NDArray[np.float64] = np.sqrt(np.maximum(square, 0.0))
    return distances


class PairSums(NamedTuple):
    """A kernel, or a count, summed over the pairs of windows of two files."""

    within_x: NDArray[np.float64]
    """`[K, K]`."""
    within_y: NDArray[np.float64]
    """`[L, L]`."""
    across: NDArray[np.float64]
    """`[K, L]`."""


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
    of_x, of_y = (np.unique(sample.files, return_inverse=True)[1] for sample in (x, y))
    sums = PairSums(
        sum_by_file(gaussian_kernel(x.vectors, x.vectors, bandwidth), of_x, of_x, x.n_files, x.n_files),
        sum_by_file(gaussian_kernel(y.vectors, y.vectors, bandwidth), of_y, of_y, y.n_files, y.n_files),
        sum_by_file(gaussian_kernel(x.vectors, y.vectors, bandwidth), of_x, of_y, x.n_files, y.n_files),
    )
    pairs = count_pairs(np.bincount(of_x).astype(np.float64), np.bincount(of_y).astype(np.float64))
    value = find_discrepancies(sums, pairs, np.ones((1, x.n_files)), np.ones((1, y.n_files)))[0]
    weights = [draw_weights(sample.n_files, seed + number, n_replicates) for number, sample in enumerate((x, y))]
    return float(value), find_discrepancies(sums, pairs, *weights)


def count_pairs(of_x: NDArray[np.float64], of_y: NDArray[np.float64]) -> PairSums:
    """Pairs of windows by file, from the number of windows of each file, `[K]` and `[L]`."""
    return PairSums(np.outer(of_x, of_x), np.outer(of_y, of_y), np.outer(of_x, of_y))


def find_discrepancies(
    sums: PairSums, pairs: PairSums, of_x: NDArray[np.float64], of_y: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Mean kernel within both sides less twice that across them, pairs within a file left out. → `[R]`

    It is MMD² with a Gaussian kernel, and the energy distance with `−|x − y|`. NaN where there is no pair, as where one
    file alone was drawn.

    Args:
        sums: of the kernel.
        pairs: how many pairs they are of.
        of_x: how often each file counts in each replicate, `[R, K]`.
        of_y: the same of the other side, `[R, L]`.

    Reference:
        Sejdinovic et al., "Equivalence of distance-based and RKHS-based statistics", Annals of Statistics 2013.
    """

    def average(total: NDArray[np.float64], n: NDArray[np.float64], *sides: NDArray[np.float64]) -> NDArray[np.float64]:
        over, under = (np.einsum("rk,kl,rl->r", sides[0], one, sides[1]) for one in (total, n))
        mean: NDArray[np.float64] = np.divide(over, under, out=np.full(len(over), np.nan), where=under > 0)
        return mean

    within = [
        average(_without_own(total), _without_own(n), side, side)
        for total, n, side in ((sums.within_x, pairs.within_x, of_x), (sums.within_y, pairs.within_y, of_y))
    ]
    found: NDArray[np.float64] = within[0] + within[1] - 2.0 * average(sums.across, pairs.across, of_x, of_y)
    return found


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


def _without_own(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """The same without the pairs within a file."""
    return sums * (1.0 - np.eye(len(sums)))


def sum_by_file(
    kernel: NDArray[np.float64], rows: Labels, columns: Labels, n_rows: int, n_columns: int
) -> NDArray[np.float64]:
    """A kernel summed over the windows of two files. `[N, M]` → `[n_rows, n_columns]`."""
    by_row = np.zeros((n_rows, kernel.shape[1]))
    np.add.at(by_row, rows, kernel)
    by_both = np.zeros((n_columns, n_rows))
    np.add.at(by_both, columns, by_row.T)
    return by_both.T
