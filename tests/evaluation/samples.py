"""Embedded windows as they are of sound: those of one file are near each other."""

import numpy as np

from sda.evaluation.mmd import Sample


def make_sample(centre=0.0, n_files=10, n_each=6, spread_of_files=1.0, seed=0):
    """Windows of one file are near each other, as they are in sound."""
    rng = np.random.default_rng(seed)
    centres = centre + spread_of_files * rng.normal(size=(n_files, 1, 4))
    vectors = (centres + 0.1 * rng.normal(size=(n_files, n_each, 4))).reshape(-1, 4)
    return Sample(vectors, np.repeat(np.arange(n_files), n_each))
