"""A tone that wavers, in a little noise."""

import numpy as np

from tests.conftest import RATE_HZ


def make_sweep(duration_s: float = 2.0, rate_hz: int = RATE_HZ, level: float = 0.3) -> np.ndarray:
    time_s = np.arange(round(duration_s * rate_hz)) / rate_hz
    noise = np.random.default_rng(0).standard_normal(len(time_s))
    return level * np.sin(2 * np.pi * 400 * time_s + 3 * np.sin(2 * np.pi * 1.7 * time_s)) + 0.07 * level * noise
