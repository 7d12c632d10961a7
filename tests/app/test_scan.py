"""The verb scan: the same answer as training, a page that stands alone, and nothing written among the sounds."""

import hashlib
import os
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import soundfile

from sda.printable import make_printable, show_name
from sda.report.scan_table import MOST_ROWS
from tests.conftest import RATE_HZ, tone
from tests.verbs import TINY

MARKUP_NAME = '<b>é "x".wav'
REFERENCES = frozenset({"src", "href", "srcset", "action", "data", "poster", "background", "formaction"})


class Page(HTMLParser):
    """What a browser would see: every tag with its attributes, and the text."""

    def __init__(self, text: str):
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def references(self) -> list[str]:
        return [value or "" for _, attrs in self.tags for name, value in attrs.items() if name in REFERENCES]


@pytest.fixture
def mixed(make_sounds) -> Path:
    """Eight good files, one of them a copy and one with an awkward name, and four that cannot be used."""
    root = make_sounds(6)
    rng = np.random.default_rng(0)
    soundfile.write(root / MARKUP_NAME, np.clip(3 * tone(300, 1.5), -1, 1), RATE_HZ)
    soundfile.write(root / "noise.wav", 0.2 * rng.standard_normal(2 * RATE_HZ), RATE_HZ)
    shutil.copy(root / "tone_000.wav", root / "tone_000 copy.wav")
    soundfile.write(root / "part.wav", soundfile.read(root / "noise.wav")[0][4000:28000], RATE_HZ)
    (root / "broken.wav").write_bytes((root / "tone_001.wav").read_bytes()[:2000])
    (root / "notes.txt").write_text("no sound")
    soundfile.write(root / "silent.wav", np.zeros(RATE_HZ), RATE_HZ)
    (root / "garbage.wav").write_bytes(b"<script>alert(1)</script>" * 40)
    return root


def snapshot(root: Path) -> dict[str, tuple[str, int]]:
    """Content and time of change of every file below a folder."""
    return {
        str(path): (hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "", path.stat().st_mtime_ns)
        for path in [root, *root.rglob("*")]
    }


@pytest.mark.slow
def test_every_file_is_shown_with_what_is_known_of_it(command_line, mixed):
    before = snapshot(mixed)
    text = command_line.run("scan", f"data.root={mixed}", "regularization.dropout=0.3", *TINY)
    assert snapshot(mixed) == before
    for words in (
        MARKUP_NAME,
        "10 usable files, 14 s",
        "left out: broken.wav: truncated: only 0.06 s of its 1.25 s can be decoded; copy or export it again",
        "\n  1 other file passed over\n",
        "left out: silent.wav: silent: it never exceeds -80 dBFS (data.silence_dbfs); turn it up",
        "left out: garbage.wav: unreadable",
        "the same sound: tone_000 copy.wav, tone_000.wav",
        "share a recording: noise.wav and part.wav (shifted by -0.2",
        "worth a second look: 1 of them",
        "take the preset conservative, chosen for 10 usable files",
        "dropout 0.3, augmentation_expansion 1, latent_dim 8 (yours)",
        "kl_warmup_fraction 0.5 (conservative, chosen for 10 usable files)",
    ):
        assert words in text
    assert "notes.txt" not in text
    assert re.search(r"last about \d+.* on (cpu|cuda|mps) \(measured: [\d.]+ s a step, data and previews not", text)
    (page,) = command_line.folder.iterdir()
    (page,) = page.iterdir()  # `scans/` is all that was made where the user stands
    assert re.fullmatch(r"sounds-[0-9a-f]{8}\.html", page.name)
    assert f"page: {page}" in text


@pytest.fixture
def page(command_line, mixed, tmp_path) -> Page:
    command_line.run("scan", f"data.root={mixed}", f"output={tmp_path}/new/page.html", "estimate=false", *TINY)
    return Page((tmp_path / "new" / "page.html").read_text(encoding="utf-8"))


def test_the_page_stands_alone_and_shows_every_sound(page):
    assert not {"script", "link", "iframe", "b>é"} & {tag for tag, _ in page.tags}
    assert all(reference.startswith(("data:image/png;base64,", "#")) for reference in page.references)
    text = " ".join(page.words)
    assert "http" not in text
    assert "url(" not in text
    assert "@import" not in text
    pictures = [attrs for tag, attrs in page.tags if tag == "img"]
    outlines = [attrs for tag, attrs in page.tags if tag == "path"]
    assert len(pictures) == len(outlines) == 11  # all usable files, and the silent one
    for words in (
        MARKUP_NAME,
        "left out: truncated",
        "truncated: only 0.06 s of its 1.25 s can be decoded",
        "copy or export it again",
        "tone_000 copy.wav = tone_000.wav",
        "held out",
        "conservative",
    ):
        assert words in text
    marked = [attrs["title"] for _, attrs in page.tags if attrs.get("class") == "odd" and "title" in attrs]
    assert marked == ["more than 0.1 % clipped"]


IN_PIECES = ("model=spectral_vae", "training.chunk_duration_s=0.5", "training.crop_fraction=0.5")


@pytest.mark.slow
@pytest.mark.parametrize(("more", "chunk_s"), [((), "0.25"), (IN_PIECES, "0.5")], ids=["whole", "in pieces"])
def test_scan_foresees_the_steps_that_training_takes(command_line, make_sounds, more, chunk_s):
    root = make_sounds(4, duration_s=1.1)
    settings = [f"data.root={root}", "training.max_epochs=1", "training.batch_size=3", *TINY, *more]
    done = command_line.run("train", *settings, "tracking=none")
    foreseen = command_line.run("scan", *settings, "estimate=false")  # beside the run, which is not in its way
    assert ("in pieces of 0.25 s" in foreseen) == bool(more)
    for words in (rf"(\d+) chunks of {chunk_s} s", r"(\d+) steps an epoch"):
        found = re.search(words, foreseen)
        assert found is not None
        assert found.groups() == re.search(words, done).groups()


def test_a_folder_that_cannot_be_trained_on_is_shown_before_it_is_refused(command_line, tmp_path):
    (tmp_path / "one").mkdir()
    soundfile.write(tmp_path / "one" / "lonely.wav", tone(440, 1), RATE_HZ)
    text = command_line.run("scan", f"data.root={tmp_path / 'one'}", "output=page.html", code=1)
    assert "lonely.wav" in text
    assert "error: 1 usable file, too short" in text
    assert "Traceback" not in text
    assert "It would refuse: 1 usable file" in " ".join(Page((command_line.folder / "page.html").read_text()).words)


CASES = {
    "no folder given": ([], "data.root is not set"),
    "missing folder": (["data.root=/nowhere"], "error: data.root=/nowhere: there is no such folder"),
    "page among the sounds": (["data.root={good}", "output={good}/in/page.html"], "lies inside data.root"),
    "page is no page": (["data.root={good}", "output={good}.wav"], "ends in .html"),
    "page is there": (["data.root={good}", "output={folder}/mine.html"], "is there already, and nothing is ever"),
    "page is a folder": (["data.root={good}", "output={folder}.html"], "ends in .html"),
    "unknown key": (["data.root={good}", "regularization.dropot=1"], "Did you mean regularization.dropout"),
    "out of range": (["data.root={good}", "training.max_epochs=0"], "training.max_epochs=0 is out of range"),
    "several at once": (["-m", "data.root={good}"], "leave out -m"),
    "a run to continue": (["data.root={good}", "resume=last"], "goes with train.py"),
}


@pytest.mark.parametrize("name", CASES)
def test_what_cannot_be_done_is_said_in_one_message(command_line, make_sounds, tmp_path, name):
    arguments, message = CASES[name]
    good, folder = make_sounds(4), tmp_path / "folder"
    (tmp_path / "folder.html").mkdir()
    folder.mkdir()
    (folder / "mine.html").write_text("a person's own page")
    before = snapshot(good)
    text = command_line.run("scan", *(argument.format(good=good, folder=folder) for argument in arguments), code=1)
    assert message in text
    assert "Traceback" not in text
    assert "Error executing" not in text
    assert list(command_line.folder.iterdir()) == []
    assert snapshot(good) == before
    assert (folder / "mine.html").read_text() == "a person's own page"


def test_a_page_is_not_written_among_the_sounds_through_a_link(command_line, make_sounds, tmp_path):
    root = make_sounds(4)
    (tmp_path / "link").symlink_to(root)
    text = command_line.run("scan", f"data.root={root}", f"output={tmp_path / 'link'}/page.html", code=1)
    assert "lies inside data.root" in text


def test_help_lists_the_keys_and_imports_neither_torch_nor_mlflow(tmp_path):
    code = (
        "import atexit, sys\n"
        "atexit.register(lambda: print('HEAVY', sorted({'torch', 'mlflow', 'PIL', 'jinja2'} & set(sys.modules))))\n"
        "sys.argv = ['scan.py', '--help']\n"
        "from sda.app.command_line import scan\n"
        "scan()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert "HEAVY []" in done.stdout, done.stderr
    for words in ("data.root=", "regularization.dropout=0.2", "output=", "estimate=True", "$SDA_CACHE_DIR", "preset: "):
        assert words in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_without_an_estimate_torch_stays_unimported(make_sounds, tmp_path):
    code = (
        "import sys\n"
        f"sys.argv = ['scan.py', 'data.root={make_sounds(4)}', 'estimate=false', 'output=page.html']\n"
        "from sda.app.command_line import scan\n"
        "scan()\n"
        "print('HEAVY', sorted({'torch', 'mlflow'} & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=tmp_path, env=dict(os.environ)
    )
    assert "HEAVY []" in done.stdout, done.stderr


def test_of_many_files_the_terminal_shows_those_with_something_to_say(command_line, make_sounds):
    root = make_sounds(MOST_ROWS + 2, duration_s=0.3)
    soundfile.write(root / "offset.wav", 0.5 * tone(500, 0.5) + 0.3, RATE_HZ)
    text = command_line.run("scan", f"data.root={root}", "output=page.html", "estimate=false", *TINY)
    assert f"1 of {MOST_ROWS + 3} files are shown" in text
    assert "offset.wav" in text
    assert "tone_010.wav" not in text
    assert "tone_010.wav" in (command_line.folder / "page.html").read_text(encoding="utf-8")


def test_names_are_shown_without_what_a_terminal_would_act_on():
    assert show_name("/a/\x1b[31mred\n.wav", "/a") == r"\x1b[31mred\n.wav"
    assert make_printable("\N{RIGHT-TO-LEFT OVERRIDE}vaw.é 👩\N{ZERO WIDTH JOINER}🎤") == "\\u202evaw.é 👩‍🎤"
