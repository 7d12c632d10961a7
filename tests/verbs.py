"""The verbs as a user runs them: another process, a folder of its own, a model in miniature."""

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest
import soundfile

from tests.forked import ForkedScript

PROJECT = Path(__file__).parents[1]

CHROMEDRIVER = shutil.which("chromedriver")
NEEDS_BROWSER = pytest.mark.skipif(
    CHROMEDRIVER is None, reason="no chromedriver on this machine: install Debian's chromium-driver"
)

TINY = (
    "model=mel_vae",
    "audio.sample_rate_hz=16000",
    "audio.n_fft=512",
    "audio.hop_length=128",
    "audio.n_mels=32",
    "training.latent_dim=8",
    "training.chunk_duration_s=0.25",
    "regularization.augmentation_expansion=1",
    "preview.n_reconstructions=1",
    "preview.n_samples=1",
    "preview.n_variations=0",
    "evaluation.max_clips=4",
    "evaluation.at_end=none",
)
"""Settings under which an epoch takes a moment."""

FEW = {"sda.generation.controls.N_PATHS": 8}
"""What the same is of thoroughness that no key sets: controls are found by a sixth of the sounds that they are found by
otherwise. Which of them have a name on a model in miniature says nothing either way."""


@dataclass
class CommandLine:
    """Runs the project's scripts from a folder of its own."""

    folder: Path

    def start(self, verb: str, *arguments: str, **environment: str) -> ForkedScript:
        return ForkedScript(PROJECT / f"{verb}.py", arguments, self.folder, _surround(environment), FEW)

    def run_afresh(self, verb: str, *arguments: str, **environment: str) -> str:
        """Run in a process that has imported nothing yet, to the end; everything printed."""
        command = [sys.executable, str(PROJECT / f"{verb}.py"), *arguments]
        done = subprocess.run(
            command, cwd=self.folder, env=_surround(environment), capture_output=True, text=True, check=True
        )
        return done.stdout + done.stderr

    def run(self, verb: str, *arguments: str, code: int = 0, **environment: str) -> str:
        """Run to the end, expect an exit code, and give back everything printed."""
        process = self.start(verb, *arguments, **environment)
        out, err = process.communicate(timeout=600)
        assert process.returncode == code, out + err
        return out + err

    def stop_after_steps(self, process: ForkedScript, n_steps: int, number: int = signal.SIGINT) -> str:
        """Send a signal once the run's journal tells of so many steps; give back everything printed."""
        deadline = time.monotonic() + 600
        while sum(len(path.read_bytes().splitlines()) for path in self.folder.glob("runs/*/*/events.jsonl")) < n_steps:
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.02)
        process.send_signal(number)
        out, err = process.communicate(timeout=600)
        return out + err

    def runs(self) -> list[Path]:
        """Folders of all runs, oldest first."""
        return sorted(
            (path.parent for path in self.folder.glob("runs/**/summary.json")), key=lambda p: p.stat().st_ctime
        )

    def query(self, sql: str) -> list[tuple]:
        """Rows of MLflow's embedded store."""
        with closing(sqlite3.connect(self.folder / "mlflow.db")) as connection:
            return connection.execute(sql).fetchall()

    def events(self, run_dir: Path, kind: str) -> list[dict]:
        lines = (run_dir / "events.jsonl").read_text().splitlines()
        return [event for event in map(json.loads, lines) if event["event"] == kind]


def _surround(environment: dict[str, str]) -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "200", **environment}


@pytest.fixture
def command_line(tmp_path: Path) -> CommandLine:
    folder = tmp_path / "project"
    folder.mkdir()
    return CommandLine(folder)


@pytest.fixture(scope="session")
def trained_once(tmp_path_factory: pytest.TempPathFactory, state_dir: Path) -> Path:
    """A project's folder with one run in miniature, which nothing is to be written into."""
    from tests.conftest import RATE_HZ, tone

    folder = tmp_path_factory.mktemp("trained")
    for name in ("project", "sounds"):
        (folder / name).mkdir()
    for index in range(6):
        sound = tone(200 + 60 * index, 1.2 + 0.05 * index)
        soundfile.write(folder / "sounds" / f"tone_{index:03d}.wav", sound, RATE_HZ)
    settings = (f"data.root={folder / 'sounds'}", "training.max_epochs=1", "tracking=none")
    CommandLine(folder / "project").run("train", *settings, *TINY, SDA_CACHE_DIR=str(folder / "cache"))
    return folder / "project"


@pytest.fixture
def trained(trained_once: Path, command_line: CommandLine) -> CommandLine:
    """A copy of it, to be written into."""
    shutil.copytree(trained_once, command_line.folder, dirs_exist_ok=True)
    return command_line


@pytest.fixture
def store(command_line: CommandLine, empty_database: Path) -> None:
    """MLflow's embedded store is there already, with nothing in it."""
    shutil.copy(empty_database, command_line.folder / "mlflow.db")


@pytest.fixture
def browser(tmp_path: Path):
    """Headless Chromium that keeps what a page writes to its console."""
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    for flag in (
        "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
        "--disable-background-networking", "--disable-component-update", "--window-size=1400,3000",
        f"--user-data-dir={tmp_path / 'browser'}",
    ):  # fmt: skip
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(CHROMEDRIVER))
    yield driver
    driver.quit()


@pytest.fixture
def sounds(make_sounds: Callable[..., Path]) -> str:
    return f"data.root={make_sounds(6)}"
