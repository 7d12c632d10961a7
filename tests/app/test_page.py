"""MLflow's page over a finished run, in a real browser."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from tests.app.conftest import TINY

CHROMEDRIVER = shutil.which("chromedriver")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore"),  # selenium's own
    pytest.mark.skipif(
        CHROMEDRIVER is None, reason="no chromedriver on this machine: install Debian's chromium-driver"
    ),
]


EVERYWHERE = """
const all = root => [...root.querySelectorAll('*')].flatMap(e => e.shadowRoot ? [e, ...all(e.shadowRoot)] : [e]);
"""
"""MLflow's player hides in a shadow root."""
PLAYER_DURATION_S = EVERYWHERE + "return (all(document).find(e => e.tagName == 'AUDIO') || {}).duration"
WIDEST_PICTURE = (
    EVERYWHERE
    + "return Math.max(0, ...all(document).filter(e => e.tagName == 'IMG' && !e.src.startsWith('data:'))"
    + ".map(e => e.naturalWidth))"
)


@pytest.fixture
def browser(tmp_path):
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    for flag in (
        "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
        "--disable-background-networking", "--disable-component-update", "--window-size=1500,1300",
        f"--user-data-dir={tmp_path / 'browser'}",
    ):  # fmt: skip
        options.add_argument(flag)
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(CHROMEDRIVER))
    driver.implicitly_wait(60)
    yield driver
    driver.quit()


@pytest.fixture
def serve(command_line):
    """Starts `make ui`'s server over the store in the command line's folder; gives its port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = subprocess.Popen(
        [sys.executable, "-m", "sda.app.ui", str(port)],
        cwd=command_line.folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    deadline = time.monotonic() + 120
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
    server.wait(timeout=30)


@pytest.fixture
def finished(command_line, sounds) -> Path:
    command_line.run("train", sounds, "training.max_epochs=2", *TINY)
    return command_line.runs()[0]


def test_the_printed_link_shows_metrics_parameters_and_the_preview_with_its_player(finished, serve, browser, tmp_path):
    from selenium.webdriver.common.by import By
    from selenium.webdriver.support.ui import WebDriverWait

    def find(words: str):
        return browser.find_element(By.XPATH, f"//*[contains(text(), '{words}')]")

    link = json.loads((finished / "summary.json").read_text())["mlflow_link"].replace(":5000", f":{serve}")
    browser.get(link)
    assert find("regularization.dropout").is_displayed()
    assert find("epoch/val_loss").is_displayed()
    browser.get(link.replace("?", "/artifacts/previews/epoch_0002/reconstruction_1.wav?"))
    WebDriverWait(browser, 60).until(lambda page: page.execute_script(PLAYER_DURATION_S) == pytest.approx(0.25))
    browser.get(link.replace("?", "/artifacts/previews/epoch_0002/reconstruction_1.png?"))
    WebDriverWait(browser, 60).until(lambda page: page.execute_script(WIDEST_PICTURE) > 300)
