"""Runs for the page: one that is no more than its folder, and what serves it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import soundfile

from sda.play.session import Session
from tests.conftest import RATE_HZ, tone
from tests.play.serving import Client, FakeRun, serve


@pytest.fixture
def fake_run(tmp_path, monkeypatch) -> FakeRun:
    """A run in a project's folder, in which the test stands."""
    run_dir = tmp_path / "project" / "runs" / "today" / "one"
    run_dir.mkdir(parents=True)
    (run_dir / "summary.json").write_text('{"status": "finished", "active_at": 1.0}')
    monkeypatch.chdir(tmp_path / "project")
    held_out = tmp_path / "sounds" / "rain.wav"
    held_out.parent.mkdir()
    soundfile.write(held_out, tone(300, 2.0), RATE_HZ)
    return FakeRun(run_dir, {"rain.wav": held_out})


@pytest.fixture
def session(fake_run) -> Iterator[Session]:
    one = Session(lambda run_dir, which: fake_run.open(), fake_run.run_dir)
    yield one
    fake_run.may_go_on.set()
    one.close()


@pytest.fixture
def client(session) -> Iterator[Client]:
    """Asks the server, which has opened the run."""
    with serve(session) as one:
        one.open()
        yield one


@pytest.fixture
def voice(tmp_path) -> Path:
    """A sound of the person who plays."""
    path = tmp_path / "voice.flac"
    soundfile.write(path, tone(500, 1.5), RATE_HZ)
    return path
