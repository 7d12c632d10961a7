"""The maximum mean discrepancy of sets of windows whose distance is known."""

import numpy as np
import pytest

from sda.evaluation.mmd import Sample, gaussian_kernel, mmd2
from tests.evaluation.samples import make_sample

RNG = np.random.default_rng(0)


def test_mmd_is_that_of_the_formula_where_every_window_is_a_file_of_its_own():
    x, y = RNG.normal(size=(12, 3)), RNG.normal(size=(9, 3)) + 1.0
    kernels = [gaussian_kernel(a, b, 1.5) for a, b in ((x, x), (y, y), (x, y))]
    within = [(kernel.sum() - np.trace(kernel)) / (len(kernel) * (len(kernel) - 1)) for kernel in kernels[:2]]
    expected = sum(within) - 2 * kernels[2].mean()
    assert mmd2(Sample(x, np.arange(12)), Sample(y, np.arange(9)), 1.5) == pytest.approx(expected)


def test_mmd_of_one_distribution_is_zero_on_average_though_windows_of_a_file_are_alike():
    """With pairs inside a file counted, all of these would be far above 0."""
    scores = [mmd2(make_sample(seed=2 * n), make_sample(seed=2 * n + 1), 2.0) for n in range(60)]
    assert np.mean(scores) == pytest.approx(0.0, abs=3 * np.std(scores) / 60**0.5)
    assert min(scores) < 0 < max(scores)


def test_mmd_grows_with_the_distance():
    scores = [mmd2(make_sample(seed=1), make_sample(centre, seed=2), 2.0) for centre in (0.0, 1.0, 3.0)]
    assert scores[0] < scores[1] < scores[2]
