"""Noise that is loud at both ends."""

import numpy as np
import pytest

RATE_HZ = 44100
N_FRAMES = 6 * RATE_HZ


@pytest.fixture
def noise() -> np.ndarray:
    """Loud at both ends and quiet between, so that a variable bit rate varies, `[T]`."""
    samples = np.random.default_rng(0).normal(0, 0.1, N_FRAMES)
    samples[N_FRAMES // 4 : 3 * N_FRAMES // 4] *= 0.01
    return samples
