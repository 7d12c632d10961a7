"""Synthetic sounds: tones in noise, different in every file, in folders of any size."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import soundfile

RATE_HZ = 44100
"""Rate of most recordings; the cache's is another, so that everything is converted."""

N_TONES = 3


def write_sound(path: Path, duration_s: float, seed: int, rate_hz: int = RATE_HZ) -> Path:
    """Write one mono FLAC file of 16 bits, tones of random pitch in noise."""
    rng = np.random.default_rng(seed)
    time_s = np.arange(round(duration_s * rate_hz), dtype=np.float32) / np.float32(rate_hz)
    waveform = 0.02 * rng.standard_normal(len(time_s), dtype=np.float32)
    for frequency_hz in np.exp(rng.uniform(np.log(80), np.log(min(6000, 0.4 * rate_hz)), N_TONES)).astype(np.float32):
        waveform += 0.2 * np.sin(np.float32(2 * np.pi) * frequency_hz * time_s)
    soundfile.write(path, waveform, rate_hz)
    return path


def write_folder(folder: Path, n_files: int, duration_s: float, rate_hz: int = RATE_HZ) -> list[Path]:
    """Write `n_files` different sounds of one length; what is there already stays."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"sound_{index:04d}.flac" for index in range(n_files)]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        missing = [(index, path) for index, path in enumerate(paths) if not path.exists()]
        list(pool.map(lambda item: write_sound(item[1], duration_s, item[0], rate_hz), missing))
    return paths
