import numpy as np
import pytest

from sda.evaluation.distribution import compare, density_and_coverage, find_shortage, thin_out
from sda.evaluation.mmd import Sample, mmd2
from tests.evaluation.samples import make_sample


def test_real_sound_scores_as_training_sound_does_and_other_sound_worse():
    held_out, train = make_sample(seed=1), make_sample(seed=2)
    same, other = compare(make_sample(seed=3), held_out, train), compare(make_sample(4.0, seed=4), held_out, train)
    assert same.ratio.low < 1.0 < other.ratio.low
    assert other.mmd2.low > same.mmd2.high
    assert same.coverage > 0.5 > other.coverage
    assert other.density < 0.1 < same.density


def test_draws_of_one_file_alone_are_left_out():
    """With four files, one draw in 64 is of one file alone."""
    four = compare(*(make_sample(n_files=4, n_each=10, seed=seed) for seed in (1, 2, 3)))
    assert np.isfinite([four.ratio.low, four.ratio.high, four.mmd2.low, four.mmd2.high]).all()
    assert four.mmd2.low < four.mmd2.value < four.mmd2.high


def test_one_sound_over_and_over_has_no_coverage():
    held_out = make_sample(seed=1)
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
    enough, few = make_sample(), make_sample(n_files=3)
    assert find_shortage(enough.files, enough.files, enough.files) == ""
    words = find_shortage(enough.files, few.files, enough.files)
    assert words == "too few to tell: 18 held-out windows of 3 sounds, and it takes 24 of 4"
    with pytest.raises(ValueError, match="too few to tell"):
        compare(enough, few, enough)
    with pytest.raises(ValueError, match="two files"):
        mmd2(Sample(np.zeros((3, 2)), np.zeros(3, dtype=np.intp)), enough, 1.0)


def test_thinning_out_takes_from_everywhere():
    thinned = thin_out(make_sample(), 20)
    assert len(thinned.vectors) == 20
    assert thinned.n_files == 10
