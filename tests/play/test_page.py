"""The page as a person uses it, in a real browser."""

import io
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import numpy as np
import pytest
import soundfile

from sda.app.played_run import open_for_page
from sda.generation import controls
from sda.play.session import Session
from tests.conftest import RATE_HZ, tone
from tests.play.serving import FakeRun, find_port, serve
from tests.verbs import NEEDS_BROWSER, PROJECT, TINY

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore"),  # selenium's own
    NEEDS_BROWSER,
]

LONGEST_WAIT_S = 120


class Person:
    """Looks, clicks and waits."""

    def __init__(self, browser, address: str):
        from selenium.webdriver.common.by import By
        from selenium.webdriver.support.ui import WebDriverWait

        self.browser, self.by = browser, By
        self._wait = WebDriverWait(browser, LONGEST_WAIT_S, poll_frequency=0.02)
        self.address = address
        self.open()

    def open(self):
        self.browser.get(self.address)
        self.wait(lambda: self.read("state") == "ready" or self.see("say"))
        assert not self.see("say"), self.read("say")

    def wait(self, condition):
        return self._wait.until(lambda _: condition())

    def find(self, name):
        return self.browser.find_element(self.by.ID, name)

    def read(self, name) -> str:
        return self.find(name).text

    def see(self, name) -> bool:
        return self.find(name).is_displayed()

    def click(self, name):
        self.find(name).click()

    def list_titles(self) -> list[str]:
        script = "return [...document.querySelectorAll('#history .title')].map((title) => title.textContent)"
        return self.browser.execute_script(script)

    def move(self, key, value):
        script = (
            "const slider = document.getElementById(`field-${arguments[0]}`);"
            "slider.value = arguments[1]; slider.dispatchEvent(new Event('input', {bubbles: true}));"
        )
        self.browser.execute_script(script, key, value)

    def read_choice(self, name) -> str:
        script = "return document.getElementById(arguments[0]).selectedOptions[0].text"  # at once: they may be replaced
        return self.browser.execute_script(script, name)

    def press(self, key):
        self.browser.find_element(self.by.TAG_NAME, "body").send_keys(key)

    def read_place(self) -> float:
        return float(self.find("place").get_attribute("aria-valuenow"))

    def list_faults(self) -> list[str]:
        return [entry["message"] for entry in self.browser.get_log("browser") if entry["level"] == "SEVERE"]


@pytest.fixture
def played(trained):
    """The address that `play.py` serves a run in miniature under."""
    port = find_port()
    server = subprocess.Popen(
        [sys.executable, str(PROJECT / "play.py"), f"port={port}"],
        cwd=trained.folder, env={**os.environ, "OMP_NUM_THREADS": "1"}, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    deadline = time.monotonic() + LONGEST_WAIT_S
    while True:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=30).close()
            break
        except (urllib.error.URLError, OSError):
            assert server.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)
    yield f"http://127.0.0.1:{port}/"
    server.send_signal(signal.SIGINT)
    assert server.wait(timeout=60) == 0


def test_a_person_plays(played, trained, browser, tmp_path):
    person = Person(browser, played)
    _a_sound_is_made_and_shown(person)
    _a_slider_is_moved_while_it_plays(person)
    _two_sounds_are_compared_at_the_same_place(person)
    _a_sound_is_given(person, tmp_path)
    _what_was_made_is_there_after_a_reload(person)
    _two_tabs_see_each_others_sounds(person)
    _a_sound_is_kept_and_another_forgotten(person, trained)
    assert [fault for fault in person.list_faults() if "/api/uploads" not in fault] == []


def _a_sound_is_made_and_shown(person):
    assert person.list_titles() == []
    person.click("make")
    person.wait(lambda: person.list_titles() == ["sample_seed_0, 1"])
    assert "sample_seed_0, 1" in person.read("slot-a")
    assert person.find("picture").get_attribute("alt") == "spectrogram of sample_seed_0, 1"
    person.wait(lambda: person.find("picture").get_property("naturalWidth") == 900)
    assert person.read("play") == "play", "nothing plays by itself"


def _a_slider_is_moved_while_it_plays(person):
    person.click("loop")
    person.click("play")
    person.wait(lambda: person.read_place() > 0.3)
    before = person.find("picture").get_attribute("src")
    person.move("novelty", 0.3)
    person.move("novelty", 0.7)
    person.wait(lambda: person.find("picture").get_attribute("src") != before)
    assert person.read("play") == "pause", "it goes on"
    person.wait(lambda: len(person.list_titles()) == 2)
    person.move("novelty", 0.9)
    person.wait(lambda: person.list_titles() == ["sample_seed_0-3, 1", "sample_seed_0, 1"])  # the draft before is gone


def _two_sounds_are_compared_at_the_same_place(person):
    person.browser.find_element(person.by.CSS_SELECTOR, "[aria-label='sample_seed_0, 1 as B']").click()
    person.wait(lambda: "sample_seed_0, 1" in person.read("slot-b"))
    person.press("x")
    assert person.find("slot-b").get_attribute("aria-pressed") == "true"
    assert person.read("play") == "pause"
    person.press(" ")
    assert person.read("play") == "play"
    person.find("place").click()  # its middle
    assert person.read_place() == pytest.approx(2.0, abs=0.1)
    person.press("x")
    assert person.read_place() == pytest.approx(2.0, abs=0.1)
    person.press("?")
    assert person.see("keys-dialog")
    person.browser.find_element(person.by.CSS_SELECTOR, "#keys-dialog button").click()


def _a_sound_is_given(person, tmp_path):
    from selenium.webdriver.support.ui import Select

    Select(person.find("field-mode")).select_by_visible_text("vary")
    assert person.see("field-strength")
    assert not person.see("field-share")
    (tmp_path / "notes.wav").write_text("only words")
    person.find("give").send_keys(str(tmp_path / "notes.wav"))
    person.wait(lambda: person.see("say"))
    assert "notes.wav: cannot be read as sound" in person.read("say")
    soundfile.write(tmp_path / "voice.wav", tone(500, 1.0), RATE_HZ)
    person.find("give").send_keys(str(tmp_path / "voice.wav"))
    person.wait(lambda: person.read_choice("field-source-0") == "voice.wav")
    assert not person.see("say")
    person.click("make")
    person.wait(lambda: "vary_seed_0, 1" in person.list_titles())


def _what_was_made_is_there_after_a_reload(person):
    before = person.list_titles()
    person.open()
    person.wait(lambda: person.list_titles() == before)
    assert person.read("count") == "(3)"


def _two_tabs_see_each_others_sounds(person):
    first = person.browser.current_window_handle
    person.browser.switch_to.new_window("tab")
    person.open()
    person.wait(lambda: len(person.list_titles()) == 3)
    person.click("another")
    person.wait(lambda: person.list_titles()[:1] == ["sample_seed_1, 1"])
    person.browser.close()
    person.browser.switch_to.window(first)
    person.wait(lambda: person.list_titles()[:1] == ["sample_seed_1, 1"])


def _a_sound_is_kept_and_another_forgotten(person, trained):
    def click(label):
        person.browser.find_element(person.by.CSS_SELECTOR, f"[aria-label='{label}']").click()

    (run_dir,) = trained.runs()
    click("keep sample_seed_1, 1")
    person.wait(lambda: "sample_seed_1_sound_001, 1" in person.list_titles())
    record = json.loads((run_dir / "kept" / "sample_seed_1_sound_001" / "generated.json").read_text())
    assert record["kept_from"] == str(run_dir / "generated" / "sample_seed_1")
    click("forget sample_seed_1, 1")
    person.wait(lambda: "sample_seed_1, 1" not in person.list_titles())
    assert not (run_dir / "generated" / "sample_seed_1").exists()
    assert (run_dir / "kept" / "sample_seed_1_sound_001" / "sound_001.wav").exists()


def test_controls_and_the_map_are_shown_where_there_are_any(fake_run, browser):
    with serve(Session(lambda run_dir, which: fake_run.open(), fake_run.run_dir)) as client:
        person = Person(browser, f"http://127.0.0.1:{client.port}/")
        assert "brightness" in person.read("controls")
        assert "moves loudness by 1 dB" in person.read("controls")
        _nothing_is_wider_than_a_telephone(person)
        _what_a_sound_is_made_of_is_named_and_heard(person)
        _the_map_is_gone_along_with_keys(person, fake_run)
        assert person.list_faults() == []


def _nothing_is_wider_than_a_telephone(person):
    person.click("make")
    person.wait(lambda: len(person.list_titles()) == 1)
    size = {"width": 390, "height": 800, "deviceScaleFactor": 1, "mobile": True}
    person.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    assert person.browser.execute_script("return document.documentElement.scrollWidth") <= 390
    person.browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def _what_a_sound_is_made_of_is_named_and_heard(person):
    assert "rain.wav" in person.read("legend")
    assert len(person.browser.find_elements(person.by.CSS_SELECTOR, "#strip i")) == 2
    person.browser.find_element(person.by.CSS_SELECTOR, "#legend button").click()
    assert not person.see("say")


def _the_map_is_gone_along_with_keys(person, fake_run: FakeRun):
    from selenium.webdriver.common.keys import Keys

    person.browser.execute_script("document.getElementById('map').focus()")
    person.wait(lambda: "rain.wav, 0.5 s" in person.read("map-point"))
    canvas = person.find("map")
    canvas.send_keys("p", Keys.ARROW_UP)
    assert "voice.wav, 0.0 s, held out" in person.read("map-point")
    canvas.send_keys("f")
    assert "is marked" in person.read("map-point")
    canvas.send_keys("p")
    assert "2 points are in the path" in person.read("map-point")


def test_controls_are_turned_and_what_is_downloaded_follows(command_line, sounds, browser, tmp_path, monkeypatch):
    """With a model in miniature and all that belongs to it."""
    settings = [setting for setting in TINY if not setting.startswith("model=")]
    command_line.run("train", sounds, *settings, "model=spectral_vae", "training.max_epochs=2", "tracking=none")
    (run_dir,) = command_line.runs()
    monkeypatch.chdir(command_line.folder)
    monkeypatch.setattr(controls, "N_PATHS", 8)
    with serve(Session(lambda one, which: open_for_page(one, "cpu", which), run_dir)) as client:
        person = Person(browser, f"http://127.0.0.1:{client.port}/")
        _controls_are_tried(person)
        _level_is_turned_down_and_measured(person, client)
        _a_path_on_the_map_is_walked(person)
        _two_sounds_are_blended(person)
        _a_voice_is_played_by_the_corpus(person, tmp_path)
        assert person.list_faults() == []


def _controls_are_tried(person):
    assert person.see("no-controls")
    person.click("try-controls")
    person.wait(lambda: not person.see("no-controls"))
    names = [one.get_attribute("id") for one in person.browser.find_elements(person.by.CSS_SELECTOR, "#controls input")]
    assert {"field-level", "field-axis_1"} & set(names)
    assert all(float(person.find(name).get_property("value")) == 0.0 for name in names)


def _level_is_turned_down_and_measured(person, client):
    def make(title):
        person.click("make")
        person.wait(lambda: person.list_titles()[:1] == [title] and title in person.read("slot-a"))
        path = person.find("download").get_attribute("href").partition(str(client.port))[2]
        waveform, _ = soundfile.read(io.BytesIO(client.ask("GET", path).body))
        return 10 * np.log10(np.square(waveform).mean())

    plain = make("sample_seed_0, 1")
    key = "level" if person.browser.find_elements(person.by.ID, "field-level") else "axis_1"
    person.move(key, float(person.find(f"field-{key}").get_attribute("min")))
    asked = float(person.find(f"field-{key}").get_property("value"))
    assert asked < -0.5
    assert make("sample_seed_0-2, 1") - plain == pytest.approx(asked, abs=0.3)
    person.move(key, 0)


def _a_path_on_the_map_is_walked(person):
    from selenium.webdriver.common.keys import Keys

    person.browser.execute_script("document.getElementById('map').focus()")
    person.wait(lambda: " s" in person.read("map-point"))
    canvas = person.find("map")
    canvas.send_keys("p", Keys.ARROW_RIGHT, "p")
    person.wait(lambda: "2 points are in the path" in person.read("map-point"))
    person.click("walk")
    person.wait(lambda: "walk_seed_0, 1" in person.list_titles())


def _two_sounds_are_blended(person):
    from selenium.webdriver.support.ui import Select

    Select(person.find("field-mode")).select_by_visible_text("blend")
    person.click("make")
    person.wait(lambda: "blend_seed_0, 1" in person.list_titles())


def _a_voice_is_played_by_the_corpus(person, tmp_path):
    from selenium.webdriver.support.ui import Select

    Select(person.find("field-mode")).select_by_visible_text("transfer")
    soundfile.write(tmp_path / "voice.wav", tone(500, 1.0), RATE_HZ)
    person.find("give").send_keys(str(tmp_path / "voice.wav"))
    person.wait(lambda: person.read_choice("field-source-0") == "voice.wav")
    person.click("make")
    person.wait(lambda: "transfer_seed_0, 1" in person.list_titles())


def test_names_of_strangers_are_text(fake_run, browser, tmp_path):
    hostile = "<img src=x onerror=alert(1)>.wav"
    path: Path = tmp_path / hostile
    soundfile.write(path, tone(300, 1.0), RATE_HZ)
    fake_run.held_out = {hostile: path}
    with serve(Session(lambda run_dir, which: fake_run.open(), fake_run.run_dir)) as client:
        person = Person(browser, f"http://127.0.0.1:{client.port}/")
        options = person.browser.execute_script(
            "return [...document.querySelectorAll('option')].map((one) => one.text)"
        )
        assert f"{hostile} (held out)" in options
        assert person.browser.find_elements(person.by.CSS_SELECTOR, "img[src=x]") == []
