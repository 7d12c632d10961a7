"""The report of evaluate.py: every figure with its interval, nothing from outside, nothing that a name can break."""

import base64
import json
import math
import re
from dataclasses import replace
from html.parser import HTMLParser
from io import BytesIO
from typing import Any

import pytest
import soundfile

from sda.bootstrap import Estimate
from sda.evaluation.form_comparison import Form
from sda.evaluation.suite import DistributionComparison
from sda.printable import make_printable
from sda.report.evaluation import Evaluation, RunSubject
from sda.report.evaluation_figures import MAP_HEIGHT, MAP_WIDTH
from sda.report.evaluation_page import ListeningRow, MadeRow, NearestRow, Point, Report, draw_page
from tests.conftest import RATE_HZ, tone
from tests.report.assessments import LIKENESS, RECONSTRUCTION, make_assessment, make_memorisation
from tests.verbs import NEEDS_BROWSER

HOSTILE = "</script><img src=x onerror=alert(1)>\N{RIGHT-TO-LEFT OVERRIDE}'\"&.wav"
POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:; media-src data:"
SECTIONS = {
    "reconstruction": "Reconstruction",
    "distribution": "Taken together: like unheard sound?",
    "form": "Form: do whole sounds move, begin and end as real ones do?",
    "latents": "Latent space",
}
NOTHING: dict[str, Any] = {"reconstruction": None, "distribution": {}, "form": Form(), "latents": None}
"""The same parts of an assessment where they were not measured."""


def make_clip(frequency_hz: float) -> str:
    buffer = BytesIO()
    soundfile.write(buffer, tone(frequency_hz, 0.3), RATE_HZ, format="MP3")
    return f"data:audio/mpeg;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def make_report(name: str = "a run", title: str = "rain.wav", weakness: str = "", **changes: Any) -> Report:
    """A whole report, but for some parts of its assessment."""
    points = [
        Point("generated", f"new {title}", (2.0, 1.0), (5.0, 0.0), "c0"),
        Point("train", f"heard {title}", (0.0, 0.0), (0.0, 9.0), "c1"),
        Point("held_out", f"unheard {title}", (1.0, 3.0), (9.0, 9.0), "c2"),
    ]
    subject = RunSubject(suite="full", run=f"/runs/{title}", epoch=76, checkpoint="best", validation_weakness=weakness)
    command = "python train.py 'data.root=/a b' preset=conservative"
    return Report(
        name=name,
        evaluation=Evaluation(subject, make_assessment(**changes), command),
        points=points,
        nearest=[NearestRow(f"generated 3, 0.5 s {title}", f"{title}, 1:02.31", 0.38, False, "c0", "c1")],
        listening=[ListeningRow(f"held {title}", "c0", "c1", "c2")],
        clips={"c0": make_clip(220), "c1": make_clip(330), "c2": make_clip(440)},
    )


class Page(HTMLParser):
    """What a browser would see: tags with their attributes, the text that is shown, headings, and the data."""

    def __init__(self, text: str):
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.headings: list[str] = []
        self.words = ""
        self.data: dict[str, Any] = {}
        self.open = ("", dict[str, str | None]())
        self.feed(text)
        self.words = re.sub(r"\s+", " ", self.words)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.open = (tag, dict(attrs))
        self.tags.append(self.open)

    def handle_data(self, data: str) -> None:
        tag, attrs = self.open
        if attrs.get("id") == "data" and data.strip():
            self.data = json.loads(data)
        elif tag not in ("script", "style"):
            self.words += f" {data}"
            self.headings += [data] if tag in ("h1", "h2") and data.strip() else []

    def handle_endtag(self, tag: str) -> None:
        self.open = ("", {})

    def find(self, **wanted: str) -> list[dict[str, str | None]]:
        """Attributes of every element with these; `data_x` stands for `data-x`."""
        names = {name.replace("_", "-"): value for name, value in wanted.items()}
        return [attrs for _, attrs in self.tags if all(attrs.get(name) == value for name, value in names.items())]


def test_every_figure_is_shown_with_its_interval():
    page = Page(draw_page([make_report()]))
    for words in (
        "overfit It overfits.",
        "2 % (1 to 7) Few are replays.",
        "1.40× Worse on others.",
        "More sounds help most. python train.py 'data.root=/a b' preset=conservative",
        "right of the broken line, at 0.42.",
        "generated 4 windows 25 % above",
        "plain copies of training sound, cut a little later 60 0.97 100 % 95 %",
        "rain.wav, 1:02.31 0.38 no",
        "they hold 43 % of its variance",
        "Mel spectrum, dB log-mel L1: timbre and dynamics 3.87 (3.51 to 4.22) 2.50",
        "8.50 (3.51 to 4.22) 1.25 (1.11 to 1.36)",
        "no unit: 0.005 is plain to hear 0.0061 0.0061 0.0061 –",
        "60 held-out clips of 12 files, 50 training clips of 28 files",
        "3.00× (1.00 to 6.00) 1.70× (0.60 to 2.90) 0.050 (0.020 to 0.080) 0.010 (−0.010 to 0.030)",
        "0.70 (1.00) 50 % (90 %)",
        "sound-effect network too few to tell: 9 windows",
        "onsets a second how often something begins 4.41 (3.21 to 5.63) 1.43 1.53",
        "from the first to the last of what is loud – – 2.37 (2.16 to 2.61)",
        "in spreads of real sound 1.31 (0.71 to 1.92) – 0.02 (−0.14 to 0.26)",
        "5.0 s at most, from where a sound begins to where it ends",
        "generated 31 % (13 to 57) 46 % (32 to 58) 28 % real 0 % 1 % 0 %",
        "2 of 3 dimensions are active",
        "80 nats a latent",
        "12 nats between all sounds",
    ):
        assert words in page.words
    assert page.headings == [
        "a run", "New, or a replay?", "Map", *SECTIONS.values(), "How to read it",
    ]  # fmt: skip


def test_the_bars_of_findings_stand_where_the_numbers_say():
    page = Page(draw_page([make_report()]))
    places = [attrs["cx"] for attrs in page.find(**{"class": "value"})]
    assert places[:2] == ["2.0%", "90.91%"]  # 2 % of 100, and 1.4 of a tenth more
    (interval, *_) = page.find(**{"class": "interval"})
    assert (interval["x"], interval["width"]) == ("1.0%", "6.0%")


@pytest.mark.parametrize("section", SECTIONS)
def test_what_was_not_measured_leaves_no_heading(section):
    report = make_report(**{section: NOTHING[section]}, silence={})
    page = Page(draw_page([replace(report, listening=[])]))
    assert SECTIONS[section] not in page.headings
    assert [heading for name, heading in SECTIONS.items() if name != section and heading not in page.headings] == []


def test_a_folder_without_a_model_has_its_verdict_and_its_replays():
    report = replace(make_report(**NOTHING, silence={}), points=[], listening=[])
    page = Page(draw_page([report]))
    assert page.headings == ["a run", "New, or a replay?", "How to read it"]


def test_that_there_is_too_little_sound_for_form_is_said():
    page = Page(draw_page([make_report(form=Form(too_few="too few to tell: 3 generated sounds"))]))
    assert "No distance: too few to tell: 3 generated sounds" in page.words
    assert SECTIONS["form"] in page.headings


def test_a_ratio_that_is_no_number_was_not_measured():
    likeness = replace(LIKENESS, ratio=Estimate(math.nan), rebuilt=None)
    page = Page(draw_page([make_report(distribution={"hand_made": DistributionComparison(likeness)})]))
    assert "timbre and movement not measured" in page.words
    assert "ratio, training sound rebuilt" not in page.words


def make_made(recording: str = "rain_7.ogg", title: str = "generated 1") -> MadeRow:
    """A second that is made of two recordings."""
    sources = [{"recording": "/s/rain_3.ogg", "share": 0.92, "at_s": 3.2}, {"recording": recording, "share": 0.08}]
    stretches = [
        {"start_s": 0.0, "end_s": 0.5, "sources": [{"recording": recording, "share": 1.0}]},
        {"start_s": 0.5, "end_s": 1.0, "sources": sources},
    ]
    shares = {recording: 0.54, "/s/rain_3.ogg": 0.46}
    return MadeRow(title, 1.0, {"shares": shares, "stretches": stretches}, "c0")


def test_what_new_sound_is_made_of_is_drawn_along_time():
    made = make_made()
    page = Page(draw_page([replace(make_report(made_of=[made.made_of]), made=[made])]))
    assert page.headings[1:4] == ["New, or a replay?", "What new sound is made of", "Map"]
    for words in (
        "2.0 recordings make up a sound, in the mean 54 % of a sound",
        "0.0–0.5 s: rain_7.ogg 100 % 0.5–1.0 s: rain_3.ogg 92 % (from 3.2 s), rain_7.ogg 8 %",
        "rain_7.ogg 54 % rain_3.ogg 46 % 2 recordings in all",
    ):
        assert words in page.words
    (strip,) = page.find(**{"class": "sources"})
    assert strip["aria-label"] == "generated 1, mostly made of: 0.0–0.5 s rain_7.ogg, 0.5–1.0 s rain_3.ogg"
    parts = [attrs for attrs in page.find(width="50.0%") if "fill" in attrs]
    assert [(attrs["x"], attrs["y"], attrs["height"]) for attrs in parts] == [
        ("0.0%", "0.0%", "100.0%"), ("50.0%", "8.0%", "92.0%"),
    ]  # fmt: skip
    (button,) = page.find(aria_label="play generated 1")
    assert page.data["sounds"][int(button["data-sounds"] or "")] == [0, "c0", "generated 1"]


def test_hostile_recordings_are_words_and_nothing_else():
    report = make_report()
    harmless = Page(draw_page([replace(report, made=[make_made()])]))
    text = draw_page([replace(report, made=[make_made(f"/s/{HOSTILE}", HOSTILE)])])
    page = Page(text)
    assert [tag for tag, _ in page.tags] == [tag for tag, _ in harmless.tags]
    assert text.count("</script>") == 2
    assert "\N{RIGHT-TO-LEFT OVERRIDE}" not in text
    assert "0.0–0.5 s: script><img src=x onerror=alert(1)>\\u202e'\"&.wav 100 %" in page.words


def test_draws_that_were_made_anew_are_counted():
    again = "1 draw in which nothing could be heard was made anew"
    assert again in Page(draw_page([make_report(n_silent_draws=1)])).words
    assert "made anew" not in Page(draw_page([make_report()])).words


def test_doubts_are_shown_as_warnings():
    calm = Page(draw_page([make_report()]))
    memorisation = make_memorisation(n_null_files=3)
    doubtful = Page(draw_page([make_report(weakness="few recordings", memorisation=memorisation)]))
    assert calm.find(**{"class": "note"}) == []
    assert len(doubtful.find(**{"class": "note"})) == 2
    assert "Weak validation: few recordings" in doubtful.words
    assert "cannot be relied upon: too few to tell: 60 windows of 3 files" in doubtful.words


def test_hostile_names_are_words_and_nothing_else():
    harmless, text = draw_page([make_report()]), draw_page([make_report(HOSTILE, HOSTILE), make_report(HOSTILE)])
    page = Page(text)
    assert {tag for tag, _ in page.tags} - {tag for tag, _ in Page(harmless).tags} == {"a"}  # of the comparison
    assert not any(name.startswith("on") for _, attrs in page.tags for name in attrs)
    assert text.count("</script>") == 2
    assert "\N{RIGHT-TO-LEFT OVERRIDE}" not in text
    assert "</script><img src=x onerror=alert(1)>\\u202e'\"&.wav" in page.words
    assert page.data["sounds"][0][2].startswith("A, generated: generated 3, 0.5 s </script><img")


def test_the_page_needs_nothing_from_outside():
    text = draw_page([make_report()])
    page = Page(text)
    assert page.find(http_equiv="Content-Security-Policy")[0]["content"] == POLICY
    assert not any({"src", "href", "srcset", "action"} & set(attrs) for _, attrs in page.tags)
    assert "http:" not in text
    assert "https:" not in text


def test_every_button_and_point_plays_the_sound_that_it_names():
    page = Page(draw_page([make_report("one"), make_report("two")]))
    sounds = page.data["sounds"]
    asked = [attrs for _, attrs in page.tags if "data-sounds" in attrs]
    numbers = [int(number) for attrs in asked for number in (attrs["data-sounds"] or "").split()]
    assert set(numbers) == set(range(len(sounds)))
    assert all(page.data["clips"][report][clip].startswith("data:audio/mpeg;base64,") for report, clip, _ in sounds)
    points = page.find(**{"class": "point"})
    assert [attrs["aria-label"] for attrs in points[:3]] == [
        "training: heard rain.wav", "held-out: unheard rain.wav", "generated: new rain.wav",
    ]  # fmt: skip
    for attrs in points:
        assert sounds[int(attrs["data-sounds"] or "")][2] == attrs["aria-label"]


def test_the_map_keeps_proportions_and_stays_inside():
    (places,) = Page(draw_page([make_report()])).data["maps"]
    for layout in places.values():
        assert all(0 <= x <= MAP_WIDTH and 0 <= y <= MAP_HEIGHT for x, y in layout)
    train, held_out, generated = places["spread"]
    assert (generated[0] - train[0]) / (train[1] - generated[1]) == pytest.approx(2.0, rel=0.01)
    assert held_out[1] < generated[1] < train[1]  # up is up


def test_several_reports_are_compared_before_each_is_shown():
    better = replace(RECONSTRUCTION, error_ratio=Estimate(1.1, 1.0, 1.2))
    page = Page(draw_page([make_report("one"), make_report("two", reconstruction=better), make_report("<b>three")]))
    assert page.headings[0] == "3 evaluations, side by side"
    assert "figure one two <b>three verdict overfit overfit overfit" in page.words
    assert "held-out over training error 1.40× 1.10× (1.00 to 1.20) 1.40×" in page.words
    assert page.words.index("active latent dimensions") < page.words.index("How close each second")
    assert [attrs["id"] for attrs in page.find(**{"class": "run"})] == ["run-0", "run-1", "run-2"]
    alone = Page(draw_page([make_report("one")]))
    assert "side by side" not in " ".join(alone.headings)


def test_what_no_report_has_is_not_compared():
    folders = [make_report(name, reconstruction=None, latents=None) for name in ("one", "two")]
    page = Page(draw_page(folders))
    assert "replays, of seconds 2 %" in page.words
    assert "active latent dimensions" not in page.words


def test_no_report_is_refused():
    with pytest.raises(ValueError, match="no report"):
        draw_page([])


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # selenium's own
@NEEDS_BROWSER
def test_in_a_browser_the_map_moves_and_sounds_play(browser, tmp_path):
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys

    reports = [make_report("one", HOSTILE), make_report("two")]
    path = tmp_path / "report.html"
    path.write_text(draw_page(reports), encoding="utf-8")
    browser.get(path.as_uri())

    def find(selector: str):
        return browser.find_element(By.CSS_SELECTOR, selector)

    def is_playing(clip: str, title: str) -> bool:
        source = browser.execute_script("return document.getElementById('player').src")
        return source == reports[1].clips[clip] and find("#now-title").text == title

    assert not find("#now").is_displayed()
    point, other = browser.find_elements(By.CSS_SELECTOR, "#run-1 .point")[:2]
    before = point.get_attribute("style"), other.get_attribute("style")
    elsewhere = find("#run-0 .point").get_attribute("style")
    find("#run-1 [data-layout=neighbours]").click()
    assert point.get_attribute("style") != before[0]
    assert other.get_attribute("style") != before[1]
    assert find("#run-0 .point").get_attribute("style") == elsewhere
    assert find("#run-1 [data-caption=neighbours]").is_displayed()
    assert not find("#run-1 [data-caption=spread]").is_displayed()
    find("#run-1 [data-layout=spread]").click()
    assert (point.get_attribute("style"), other.get_attribute("style")) == before

    browser.execute_script("arguments[0].dispatchEvent(new MouseEvent('click', {bubbles: true}))", point)
    assert find("#now").is_displayed()
    assert is_playing("c1", "training: heard rain.wav")
    assert "playing" in (point.get_attribute("class") or "")
    point.send_keys(Keys.ARROW_RIGHT)
    focused = browser.switch_to.active_element
    assert focused.get_attribute("aria-label") == "held-out: unheard rain.wav"
    focused.send_keys(Keys.ENTER)
    assert is_playing("c2", "held-out: unheard rain.wav")

    first, second, both = browser.find_elements(By.CSS_SELECTOR, "#run-1 .play")[:3]
    second.click()
    assert is_playing("c1", "B, training: rain.wav, 1:02.31")
    first.click()
    assert is_playing("c0", "A, generated: generated 3, 0.5 s rain.wav")
    both.click()
    browser.execute_script("document.getElementById('player').dispatchEvent(new Event('ended'))")
    assert is_playing("c1", "B, training: rain.wav, 1:02.31")
    find("#run-0 .play").click()
    assert find("#now-title").text.endswith(make_printable(HOSTILE))
    assert [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"] == []
