"""The page in a browser, from a server of files: it sounds as the model does, and a person can play it."""

import functools
import http.server
import json
import re
import threading
from hashlib import sha256

import numpy as np
import pytest
import torch

from sda.audio.noise import draw_noise
from sda.export.onnx_check import DECODER_TOLERANCE_DB, measure_error_db
from sda.export.web import page
from sda.export.web.page import STATIC, write_page
from sda.export.web.sounds import collect_sounds
from sda.generation import walk
from sda.generation.sampling import draw_new_sound
from tests.conftest import RATE_HZ
from tests.export.graphs.conftest import GAIN_DB
from tests.verbs import NEEDS_BROWSER

N_PATHS, LONGEST_S = 3, 1.5
GAIN = 10 ** (GAIN_DB / 20)
LONGEST_WAIT_S = 120


class Files(http.server.SimpleHTTPRequestHandler):
    """Says nothing."""

    def log_message(self, *words):
        pass


@pytest.fixture(scope="module")
def folder(synthesizer, graphs, tmp_path_factory):
    made = tmp_path_factory.mktemp("web") / "page"
    written = write_page(synthesizer, graphs, made, n_paths=N_PATHS, longest_s=LONGEST_S)
    assert written[0] == made / "index.html"
    assert all(path.exists() for path in written)
    return made


@pytest.fixture(scope="module")
def address(folder):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Files, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()


@pytest.fixture
def ask(browser, address):
    """Runs a module's worth of code in the page; what it returns comes back."""
    browser.get(address)
    browser.set_script_timeout(LONGEST_WAIT_S)

    def run(code, *given):
        script = f"""
            const given = [...arguments], done = given.pop();
            (async () => {{ {code} }})().then(done, (error) => done({{fault: String(error.stack)}}));
        """
        answer = browser.execute_async_script(script, *given)
        assert not (isinstance(answer, dict) and "fault" in answer), answer
        return answer

    return run


RENDER = """
    const { Engine } = await import('/engine.js'), { loadSounds } = await import('/sounds.js');
    const sounds = await loadSounds(), engine = new Engine(), blocks = [];
    await engine.load(sounds.card, sounds.facts.fade_s);
    const render = async (job) => {
        const blocks = [];
        if (!await engine.render(job, (block) => blocks.push(block))) throw new Error('given up');
        return blocks.flatMap((block) => [...block]);
    };
"""

browsing = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore"),  # selenium's own
    NEEDS_BROWSER,
]


def in_browser(test):
    return functools.reduce(lambda one, mark: mark(one), browsing, test)


@in_browser
def test_new_sounds_of_the_page_are_those_that_the_model_makes(ask, synthesizer):
    made = ask(RENDER + """
        const { paths } = sounds.facts;
        const job = (path) => ({ latents: sounds.takePath(path), seed: path.seed, nSamples: path.n_samples });
        return Promise.all([await render(job(paths[0])), await render(job(paths[2]))]);
    """)  # fmt: skip
    for number, samples in zip((1, 3), made, strict=True):
        new = draw_new_sound(synthesizer, None, seed=0, number=number, longest=round(LONGEST_S * RATE_HZ))
        expected = torch.cat(list(new.stretches)) / GAIN
        assert len(samples) == new.n_samples
        assert 20 * np.log10(np.sqrt(np.mean(np.square(samples)))) > -60
        assert measure_error_db(torch.tensor(samples), expected) < DECODER_TOLERANCE_DB


@in_browser
def test_given_noise_and_more_of_it_are_heard_in_every_stretch(ask, synthesizer):
    n_latents = 100  # more than one stretch
    n_samples, path = n_latents * synthesizer.hop_samples, synthesizer.sample(n_latents, 9)
    noise = draw_noise(3, 0, synthesizer.model.count_noise(n_latents))
    more_noise = torch.linspace(-3, 3, n_latents)
    code = (
        RENDER
        + """
        const take = (values) => Float32Array.from(values);
        const [latents, noise, moreNoise] = given.slice(0, 3).map(take);
        return render({ latents, noise, moreNoise, nSamples: given[3] });
    """
    )
    made = ask(code, path.T.flatten().tolist(), noise.tolist(), more_noise.tolist(), n_samples)
    expected = synthesizer.model.decode(path[None], noise[None], more_noise[None])[0].detach() / GAIN
    inside = slice(64, -64)  # the ends are faded
    assert measure_error_db(torch.tensor(made)[inside], expected[inside]) < DECODER_TOLERANCE_DB


@in_browser
def test_noise_is_that_of_sda_wherever_it_begins(ask):
    code = "const { drawNoise } = await import('/noise.js'); return given[0].map((one) => [...drawNoise(...one)]);"
    asked = [(7, 0, 40), (7, 13, 5), (100_003 * 41 + 2, 8 * 2**33 + 3, 20)]
    for (seed, first, n), found in zip(asked, ask(code, asked), strict=True):
        np.testing.assert_allclose(found, draw_noise(seed, first, n), rtol=1e-6)


@in_browser
def test_a_walk_goes_where_that_of_sda_goes(ask, synthesizer, monkeypatch):
    """With what is left to chance left out: the nearest fresh place is taken."""

    def choose(near, distances, recent, generator):
        return next((place for place in near if place not in recent), near[0])

    monkeypatch.setattr(walk, "_choose", choose)
    way = [[0.0, 0.1, 0.2], [2.0, 0.9, 0.4], [3.0, 0.5, 0.95]]
    made = ask("""
        const { loadSounds } = await import('/sounds.js'), { walk } = await import('/walk.js');
        const { latents, owners } = walk((await loadSounds()).map, given[0], given[1], () => 0);
        return [[...latents], [...owners]];
    """, way, 120)  # fmt: skip
    drawn = list(walk.walk_path(walk.map_sound(synthesizer), way, 120, seed=0))
    path = torch.cat([one.path for one in drawn], dim=1)
    np.testing.assert_allclose(np.reshape(made[0], (120, -1)), path.T, atol=1e-5)
    assert len(set(made[1])) > 1, "it comes past several recordings"


@in_browser
def test_a_person_plays_the_page(browser, address, synthesizer):
    from selenium.webdriver.common.keys import Keys
    from selenium.webdriver.support.ui import WebDriverWait

    def find(name):
        return browser.find_element("id", name)

    def wait(condition):
        WebDriverWait(browser, LONGEST_WAIT_S, poll_frequency=0.02).until(lambda _: condition())

    def hear():
        return browser.execute_script("return document.getElementById('level').value")

    browser.get(address)
    wait(lambda: find("state").text == "ready")
    assert "CC0" in find("about").text
    assert "3 recordings" in find("about").text
    find("on").click()  # one after the other, until one was heard
    find("another").click()
    wait(lambda: hear() > -50)
    find("on").click()
    assert find("title").text.startswith("new sound ")
    assert re.search(r"[abc]\n?.*%", find("sources").text)
    wait(lambda: find("download").is_enabled())
    wait(lambda: find("play").text.startswith("play"))  # it ended
    canvas = find("map")
    canvas.send_keys(Keys.ARROW_RIGHT, "p", Keys.ARROW_LEFT, "p")
    assert "2 points are in the path" in find("map-point").text
    find("seconds").clear()
    find("seconds").send_keys("2")
    canvas.send_keys(Keys.ENTER)
    wait(lambda: find("title").text == "walk of 2 s" and hear() > -50)
    wait(lambda: find("now").text.startswith("now most like"))
    size = {"width": 390, "height": 800, "deviceScaleFactor": 1, "mobile": True}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    assert browser.execute_script("return document.documentElement.scrollWidth") <= 390
    assert not find("say").is_displayed(), find("say").text
    assert [entry["message"] for entry in browser.get_log("browser") if entry["level"] == "SEVERE"] == []


@in_browser
def test_where_nothing_plays_sound_it_is_said_and_the_sound_is_made(browser, address):
    from selenium.webdriver.support.ui import WebDriverWait

    browser.get(address)
    wait = WebDriverWait(browser, LONGEST_WAIT_S, poll_frequency=0.02).until
    wait(lambda _: browser.find_element("id", "state").text == "ready")
    browser.execute_script("""
        AudioContext.prototype.resume = () => new Promise(() => {});
        Object.defineProperty(AudioContext.prototype, 'state', { get: () => 'suspended' });
    """)
    browser.find_element("id", "another").click()
    wait(lambda _: browser.find_element("id", "download").is_enabled())
    assert "nothing to play sound on" in browser.find_element("id", "say").text


def test_what_is_not_our_own_is_what_it_says_to_be():
    listed = re.findall(r"^([0-9a-f]{64})  (\S+)$", (STATIC / "vendor" / "README.md").read_text(), re.M)
    names = {str(path.relative_to(STATIC / "vendor").as_posix()) for path in (STATIC / "vendor").rglob("*.*js")}
    names |= {path.relative_to(STATIC / "vendor").as_posix() for path in (STATIC / "vendor").rglob("*.wasm")}
    assert {name for _, name in listed} == names
    for expected, name in listed:
        assert sha256((STATIC / "vendor" / name).read_bytes()).hexdigest() == expected


def test_the_page_asks_nobody_else_for_anything(folder):
    own = [path for path in folder.glob("*.*") if path.suffix != ".svg"]
    assert {".html", ".css", ".js"} == {path.suffix for path in own}
    for path in [*own, *(folder / "model").glob("*.json")]:
        assert "://" not in path.read_text(), path
    assert sorted(path.name for path in (folder / "model").iterdir()) == [
        "bank.f32", "bank.i32", "decoder.onnx", "model.json", "paths.f32", "sounds.json"
    ]  # fmt: skip
    assert "config" not in json.loads((folder / "model" / "model.json").read_text())


def test_silent_paths_are_left_out_and_the_rest_say_what_they_are_made_of(synthesizer, monkeypatch):
    sounds = collect_sounds(synthesizer, 2, 0.5)
    assert [path["number"] for path in sounds.facts["paths"]] == [1, 2]
    assert all(path["made_of"]["shares"] for path in sounds.facts["paths"])
    size = sum(path["n_latents"] for path in sounds.facts["paths"]) * synthesizer.model.latent_dim * 4
    assert len(sounds.files["paths.f32"]) == size
    loud = synthesizer.sample_stretches

    def fade(n_points, seed, *, whole=False):
        for drawn in loud(n_points, seed, whole=whole):
            path = drawn.path.clone()
            path[: synthesizer.model.stride] -= 0.0 if seed % 2 else 60.0
            yield drawn._replace(path=path)

    monkeypatch.setattr(synthesizer, "sample_stretches", fade)
    assert [path["number"] for path in collect_sounds(synthesizer, 2, 0.5).facts["paths"]] == [1]


def test_the_format_writes_the_graphs_that_were_checked(synthesizer, description, graphs, tmp_path, monkeypatch):
    monkeypatch.setattr(page, "translate", lambda *given: graphs)
    monkeypatch.setattr(page, "collect_sounds", lambda synthesizer, *_: collect_sounds(synthesizer, 1, 0.5))
    written = page.write_web(synthesizer, description, tmp_path)
    assert (tmp_path / "model" / "decoder.onnx").read_bytes() == graphs.decoder
    assert written[0].name == "index.html"
