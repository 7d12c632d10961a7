"""Sounds that share nothing, written, scanned and grouped."""

from pathlib import Path

import numpy as np
import soundfile

from sda.data.cache import SoundCache
from sda.data.groups import group_files
from sda.data.scan import scan_folder

RATE = 44100


def make_texture(seed: int, duration_s: float) -> np.ndarray:
    """Rain-like sound: filtered noise with random drops."""
    rng = np.random.default_rng(seed)
    n = round(duration_s * RATE)
    noise = np.convolve(rng.normal(0, 1, n), np.exp(-np.arange(60) / rng.uniform(2, 15)), "same")
    drops = np.zeros(n)
    drops[rng.integers(0, n, round(20 * duration_s))] = rng.uniform(2, 12, round(20 * duration_s))
    sound = noise + np.convolve(
        drops, np.exp(-np.arange(2000) / 300) * np.sin(np.arange(2000) * rng.uniform(0.05, 0.4)), "same"
    )
    return (0.2 * sound / np.abs(sound).max()).astype(np.float32)


def write(path: Path, samples: np.ndarray, rate: int = RATE, **kwargs) -> None:
    soundfile.write(path, samples, rate, **kwargs)


def group(root, group_by=""):
    cache = SoundCache()
    scan = scan_folder(root, cache=cache)
    return scan, group_files(scan, cache, group_by)
