"""MLflow's page over a finished run, in a real browser."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from tests.verbs import NEEDS_BROWSER, TINY

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore"),  # selenium's own
    NEEDS_BROWSER,
]


@pytest.fixture
def serve(command_line):
    """Starts `make ui`'s server over the store in the command line's folder; gives its port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = subprocess.Popen(
        [sys.executable, "-m", "sda", "ui", str(port)],
        cwd=command_line.folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    deadline = time.monotonic() + 600  # it imports mlflow for each of its workers, on a machine that has other work
    while True:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5).close()
            break
        except (urllib.error.URLError, OSError):
            assert time.monotonic() < deadline
            assert server.poll() is None
            time.sleep(0.5)
    yield port
    os.killpg(server.pid, signal.SIGTERM)  # the server and the workers it started
    server.wait(timeout=120)


@pytest.fixture
def finished(command_line, sounds) -> Path:
    command_line.run("train", sounds, "training.max_epochs=2", *TINY)
    return command_line.runs()[0]


def test_the_printed_link_shows_metrics_and_parameters_and_serves_the_preview(finished, serve, browser):
    from selenium.webdriver.common.by import By

    def find(words: str):
        return browser.find_element(By.XPATH, f"//*[contains(text(), '{words}')]")

    browser.implicitly_wait(60)  # the page fills itself after it has loaded
    summary = json.loads((finished / "summary.json").read_text())
    browser.get(summary["mlflow_link"].replace(":5000", f":{serve}"))
    assert find("regularization.dropout").is_displayed()
    assert find("1_loss/val_loss").is_displayed()
    for name, shown in (("reconstruction_1.wav", "01_reconstruction.wav"), ("sample_1.png", "sample_01.png")):
        query = f"path=previews/epoch_0002/{shown}&run_uuid={summary['mlflow_run_id']}"
        with urllib.request.urlopen(f"http://127.0.0.1:{serve}/get-artifact?{query}", timeout=30) as answer:
            assert answer.read() == (finished / "previews" / "epoch_0002" / name).read_bytes()
