import numpy as np
import pytest

from sda.evaluation.distribution import compare, density_and_coverage, find_shortage, thin_out
from sda.evaluation.mmd import Sample, gaussian_kernel, mmd2

RNG = np.random.default_rng(0)


def _sample(centre=0.0, n_files=10, n_each=6, spread_of_files=1.0, seed=0):
    """Windows of one file are near each other, as they are in sound."""
    rng = np.random.default_rng(seed)
    centres = centre + spread_of_files * rng.normal(size=(n_files, 1, 4))
    vectors = (centres + 0.1 * rng.normal(size=(n_files, n_each, 4))).reshape(-1, 4)
    return Sample(vectors, np.repeat(np.arange(n_files), n_each))


def test_mmd_is_that_of_the_formula_where_every_window_is_a_file_of_its_own():
    x, y = RNG.normal(size=(12, 3)), RNG.normal(size=(9, 3)) + 1.0
    kernels = [gaussian_kernel(a, b, 1.5) for a, b in ((x, x), (y, y), (x, y))]
    within = [(kernel.sum() - np.trace(kernel)) / (len(kernel) * (len(kernel) - 1)) for kernel in kernels[:2]]
    expected = sum(within) - 2 * kernels[2].mean()
    assert mmd2(Sample(x, np.arange(12)), Sample(y, np.arange(9)), 1.5) == pytest.approx(expected)


def test_mmd_of_one_distribution_is_zero_on_average_though_windows_of_a_file_are_alike():
    """With pairs inside a file counted, all of these would be far above 0."""
    scores = [mmd2(_sample(seed=2 * n), _sample(seed=2 * n + 1), 2.0) for n in range(60)]
    assert np.mean(scores) == pytest.approx(0.0, abs=3 * np.std(scores) / 60**0.5)
    assert min(scores) < 0 < max(scores)


def test_mmd_grows_with_the_distance():
    scores = [mmd2(_sample(seed=1), _sample(centre, seed=2), 2.0) for centre in (0.0, 1.0, 3.0)]
    assert scores[0] < scores[1] < scores[2]


def test_real_sound_scores_as_training_sound_does_and_other_sound_worse():
    held_out, train = _sample(seed=1), _sample(seed=2)
    same, other = compare(_sample(seed=3), held_out, train), compare(_sample(4.0, seed=4), held_out, train)
    assert same.ratio.low < 1.0 < other.ratio.low
    assert other.mmd2.low > same.mmd2.high
    assert same.coverage > 0.5 > other.coverage
    assert other.density < 0.1 < same.density


def test_draws_of_one_file_alone_are_left_out():
    """With four files, one draw in 64 is of one file alone."""
    four = compare(*(_sample(n_files=4, n_each=10, seed=seed) for seed in (1, 2, 3)))
    assert np.isfinite([four.ratio.low, four.ratio.high, four.mmd2.low, four.mmd2.high]).all()
    assert four.mmd2.low < four.mmd2.value < four.mmd2.high


def test_one_sound_over_and_over_has_no_coverage():
    held_out = _sample(seed=1)
    stuck = Sample(np.repeat(held_out.vectors[:1], 60, axis=0), np.repeat(np.arange(10), 6))
    density, coverage = density_and_coverage(stuck, held_out)
    assert density > 1.0
    assert coverage < 0.6


def test_density_and_coverage_of_a_known_line():
    real = Sample(np.arange(12.0)[:, None], np.arange(12))
    assert density_and_coverage(real, real, k=1) == (pytest.approx(1.0), 1.0)  # itself; neighbours lie on the border
    far = Sample(np.full((12, 1), 100.0), np.arange(12))
    assert density_and_coverage(far, real, k=1) == (0.0, 0.0)


def test_too_few_are_named_and_refused():
    enough, few = _sample(), _sample(n_files=3)
    assert find_shortage(enough, enough, enough) == ""
    words = find_shortage(enough, few, enough)
    assert words == "too few to tell: 18 held-out windows of 3 sounds, and it takes 24 of 4"
    with pytest.raises(ValueError, match="too few to tell"):
        compare(enough, few, enough)
    with pytest.raises(ValueError, match="two files"):
        mmd2(Sample(np.zeros((3, 2)), np.zeros(3, dtype=np.intp)), enough, 1.0)


def test_thinning_out_takes_from_everywhere():
    thinned = thin_out(_sample(), 20)
    assert len(thinned.vectors) == 20
    assert thinned.n_files == 10
