"""Small synthetic corpora, made anew for every test that asks."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from filelock import FileLock

from sda.audio.mel import AudioFeatures
from sda.audio.span import take_whole

pytest_plugins = ["tests.verbs"]

RATE_HZ = 16000
"""Rate of the synthetic sounds: low, so that tests are quick."""


def tone(frequency_hz: float, duration_s: float, rate_hz: int = RATE_HZ, level: float = 0.5) -> np.ndarray:
    """A decaying sine, `[T]`."""
    time_s = np.arange(round(duration_s * rate_hz)) / rate_hz
    return (level * np.sin(2 * np.pi * frequency_hz * time_s) * np.exp(-2 * time_s)).astype(np.float32)


@pytest.fixture
def make_sounds(tmp_path: Path) -> Callable[..., Path]:
    """Writes `n_files` different tones into a folder and returns it."""

    def make(n_files: int, duration_s: float = 1.2, folder: str = "sounds") -> Path:
        root = tmp_path / folder
        root.mkdir(exist_ok=True)
        for index in range(n_files):
            soundfile.write(root / f"tone_{index:03d}.wav", tone(200 + 60 * index, duration_s + 0.05 * index), RATE_HZ)
        return root

    return make


TEXTURE_NAMES = (
    *("ash", "birch", "cedar", "elm", "fir", "hazel", "ivy", "juniper", "larch", "maple", "oak", "pine", "rowan"),
    *("sorrel", "thyme", "vine", "willow", "yew", "sedge", "moss", "fern"),
)
"""Names that do not look like takes of one recording."""


@pytest.fixture
def make_textures(tmp_path: Path) -> Callable[..., Path]:
    """Writes files of noise and ringing tones that share nothing into a folder, one for each seed, and returns it."""

    def make(folder: str, n_files: int, first_seed: int = 0, duration_s: float = 3.0) -> Path:
        root = tmp_path / folder
        root.mkdir()
        for seed in range(first_seed, first_seed + n_files):
            rng = np.random.default_rng(seed)
            time_s = np.arange(round(duration_s * RATE_HZ)) / RATE_HZ
            sound = 0.02 * rng.standard_normal(len(time_s))
            for hz, start_s in zip(rng.uniform(200, 5000, 12), rng.uniform(0, duration_s, 12), strict=True):
                since_s = np.clip(time_s - start_s, 0, None)
                sound += 0.1 * np.sin(2 * np.pi * hz * since_s) * np.exp(-6 * since_s) * (since_s > 0)
            soundfile.write(root / f"{TEXTURE_NAMES[seed]}.wav", sound.astype(np.float32), RATE_HZ)
        return root

    return make


@pytest.fixture(autouse=True)
def cache_dir(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of its own for every test, and for the processes it starts."""
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("SDA_CACHE_DIR", str(folder))
    return folder


@pytest.fixture(scope="session", autouse=True)
def state_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An installation of its own for all tests, and for the processes they start."""
    folder = tmp_path_factory.mktemp("state")
    os.environ["SDA_STATE_DIR"] = str(folder)
    return folder


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """MLflow's embedded store with nothing in it, made once for all processes: it takes seconds."""
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    database = folder / "mlflow" / "empty.db"
    with FileLock(folder / "mlflow.lock"):
        if not database.exists():
            database.parent.mkdir()
            code = "import sys, pathlib, sda.tracking.store as t; t.create_store(pathlib.Path(sys.argv[1]))"
            subprocess.run([sys.executable, "-c", code, str(database)], check=True, capture_output=True)
    return database


@pytest.fixture(autouse=True)
def _single_thread() -> None:
    """Sums in one order, whatever machine the tests run on."""
    torch.set_num_threads(1)
    torch.manual_seed(0)


def as_features(log_mel: torch.Tensor) -> AudioFeatures:
    """Spectrograms as a network hears them, of sound that there never was."""
    level, nothing = 0.5 * torch.logsumexp(2.0 * log_mel, dim=1), torch.zeros(len(log_mel), 0)
    return AudioFeatures(nothing, log_mel, level, take_whole(nothing), torch.ones_like(level, dtype=torch.bool))


def as_waveforms(waveforms: torch.Tensor) -> AudioFeatures:
    """Sound of which no spectrogram was made."""
    nothing = torch.zeros(0)
    return AudioFeatures(waveforms, nothing, nothing, take_whole(waveforms), nothing)
