"""Bootstrap intervals: how sure a figure is that was measured on few files, drawn again and not what is cut from them.

Two chunks of one file say nearly the same; whole files (blocks) are therefore drawn again, with replacement.

Letters in the shapes: `N` values, `K` blocks, `R` replicates.

Reference:
    Efron & Tibshirani, "An Introduction to the Bootstrap", 1993, sections 8.3 (blocks) and 13.3 (percentiles).
"""

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

N_REPLICATES = 1000
CONFIDENCE = 0.95
"""Share of intervals that hold the true value, nominally; with five files it is rather 0.9."""

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Estimate:
    """A figure with its interval; the bounds are NaN where one block alone cannot tell, or where none was taken."""

    value: float
    low: float = math.nan
    high: float = math.nan

    def __str__(self) -> str:
        """In words a person reads.

        >>> str(Estimate(1.234, 1.0, 1.5)), str(Estimate(1.234, math.nan, math.nan))
        ('1.23 (1.00 to 1.50)', '1.23')
        """
        return f"{self.value:.2f}" + ("" if math.isnan(self.low) else f" ({self.low:.2f} to {self.high:.2f})")


def draw_weights(n_blocks: int, seed: int = 0, n_replicates: int = N_REPLICATES) -> FloatArray:
    """How often each block is drawn in each replicate, `[R, K]`; every row adds up to `K`."""
    rng = np.random.default_rng((seed, n_blocks))
    counts: FloatArray = rng.multinomial(n_blocks, np.full(n_blocks, 1 / n_blocks), n_replicates).astype(np.float64)
    return counts


def sum_blocks(values: FloatArray, blocks: Sequence[Hashable]) -> tuple[FloatArray, FloatArray]:
    """Sums and counts by block, blocks in the order in which they first appear. `[N, …]` → `[K, …]` and `[K]`.

    >>> sum_blocks(np.array([1.0, 2.0, 5.0]), ["a", "a", "b"])
    (array([3., 5.]), array([2., 1.]))
    """
    index_of = {block: index for index, block in enumerate(dict.fromkeys(blocks))}
    places = np.array([index_of[block] for block in blocks], dtype=np.intp)
    values = np.asarray(values, dtype=np.float64)
    sums = np.zeros((len(index_of), *values.shape[1:]))
    np.add.at(sums, places, values)
    return sums, np.bincount(places, minlength=len(index_of)).astype(np.float64)


def enclose(value: float, replicates: FloatArray, n_blocks: int) -> Estimate:
    """A figure and the middle `CONFIDENCE` of its replicates `[R]`, widened for the few blocks they were drawn from."""
    if n_blocks < 2:
        return Estimate(value, math.nan, math.nan)
    tail = (1.0 - CONFIDENCE) / 2
    bounds = np.quantile(replicates[np.isfinite(replicates)], [tail, 1.0 - tail])
    # The variance of a resampled mean is (K − 1) / K of that of a mean.
    low, high = value + (bounds - value) * math.sqrt(n_blocks / (n_blocks - 1))
    return Estimate(value, float(low), float(high))


def estimate_mean(values: Sequence[float] | FloatArray, blocks: Sequence[Hashable], seed: int = 0) -> Estimate:
    """The mean over all values, with its interval over blocks.

    Raises:
        ValueError: there is no value, or not one block for each.

    >>> estimate_mean([1.0, 1.0, 3.0, 3.0], ["a", "a", "b", "b"]).value
    2.0
    """
    if len(values) != len(blocks) or len(values) == 0:
        raise ValueError(f"expected as many blocks as values, and at least one: {len(values)} and {len(blocks)}")
    sums, counts = sum_blocks(np.asarray(values, dtype=np.float64), blocks)
    weights = draw_weights(len(counts), seed)
    return enclose(float(sums.sum() / counts.sum()), (weights @ sums) / (weights @ counts), len(counts))


def estimate_ratio(
    over: Sequence[float] | FloatArray, under: Sequence[float] | FloatArray, blocks: Sequence[Hashable], seed: int = 0
) -> Estimate:
    """Mean of `over` divided by mean of `under`, measured on the same things, with its interval over blocks."""
    pairs = np.stack([np.asarray(over, dtype=np.float64), np.asarray(under, dtype=np.float64)], axis=1)
    sums, counts = sum_blocks(pairs, blocks)
    drawn = draw_weights(len(counts), seed) @ sums
    total = sums.sum(axis=0)
    return enclose(float(total[0] / total[1]), drawn[:, 0] / drawn[:, 1], len(counts))


def estimate_ratio_of_means(
    over: tuple[FloatArray, Sequence[Hashable]], under: tuple[FloatArray, Sequence[Hashable]], seed: int = 0
) -> Estimate:
    """The ratio of two means over different things, each `(values, blocks)`, with its interval over both's blocks."""
    means, replicates, fewest = [], [], math.inf
    for number, (values, blocks) in enumerate((over, under)):
        sums, counts = sum_blocks(values, blocks)
        weights = draw_weights(len(counts), seed + number)
        means.append(sums.sum() / counts.sum())
        replicates.append((weights @ sums) / (weights @ counts))
        fewest = min(fewest, len(counts))
    return enclose(float(means[0] / means[1]), replicates[0] / replicates[1], int(fewest))
