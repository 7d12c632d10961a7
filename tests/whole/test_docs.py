"""The README and the pages of `docs`: links that lead somewhere, commands that there are, keys of today's schemas."""

import importlib.util
import json
import re
import shlex
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
import soundfile
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import IntervalSweep, Override
from hydra.errors import HydraException
from omegaconf import OmegaConf

from sda.__main__ import VERBS
from sda.config.arguments import prepare_arguments
from sda.config.export import ExportConfig
from sda.config.play import PlayConfig
from sda.config.resolvers import register_resolvers
from sda.config.schema import ScanConfig, TrainRunConfig
from sda.config.verbs import CompareConfig, EvaluateConfig, GenerateConfig
from sda.config_field import describe_settings
from sda.errors import SdaError
from sda.runs.prepare_data import scan_once
from sda.runs.resume import RESUMABLE_KEYS
from tests.composing import compose_verb
from tests.conftest import RATE_HZ
from tests.verbs import TINY, CommandLine

PROJECT = Path(__file__).parents[2]
README = PROJECT / "README.md"
PAGES = (README, *sorted((PROJECT / "docs").glob("*.md")))
REPORTS = tuple(sorted((PROJECT / "experiments").glob("**/README.md")))
LONGEST_README = 200

SCHEMAS = {
    "train": TrainRunConfig,
    "scan": ScanConfig,
    "evaluate": EvaluateConfig,
    "generate": GenerateConfig,
    "compare": CompareConfig,
    "play": PlayConfig,
    "export": ExportConfig,
}
FLAGS = {"-m", "--resolve", "--help"}
GROUPS = {"data", "experiment", "model", "preset", "tracking"}
"""Beside those of Hydra, `hydra/launcher` and the like."""
KEYS = {verb: {row[0] for row in describe_settings(schema)} for verb, schema in SCHEMAS.items()}
SECTIONS = {key.partition(".")[0] for key in KEYS["train"] if "." in key}
FILE_ENDINGS = {"json", "jsonl", "html", "yaml", "db", "md", "py"}
"""After the dot of what is a file's name, such as `evaluation.json`, and no key's."""
NOT_THERE = {"preset=conservativ", "experiment=nope", "experiment=NAME", "preset=mine", "tracking=NAME"}
"""Given as examples of names that there are not, or that the reader gives."""
NEEDED = {
    "hydra.launcher.ray": "hydra/launcher=ray",
    "hydra/sweeper/sampler": "hydra/sweeper=optuna",
    "register=": "format=mlflow",
}
"""By how settings begin, what they are given together with."""
NO_COMMANDS = {"python -m"}
"""Nothing to run: a thing that is named."""
EXAMPLES = {"conf/preset/NAME.yaml", "conf/preset/mine.yaml", "conf/tracking"}
"""What the reader may make."""
BROUGHT_MODULES = {"pip"}
"""Of Python's own, which an environment made by uv lacks."""

_VERB = rf"(?:{'|'.join(SCHEMAS)})\.py"
_COMMAND = re.compile(rf"(?:\w+=\S+\s+)*(?:\S*[/\\])?(?P<program>py|python[\d.]*|make|sda|{_VERB})\s+(?P<rest>\S.*)")
"""Variables of the environment, the program without its folder, and what it is given."""
_LINK = re.compile(r"\[(?:[^\[\]]|\[[^\]]*\])*\]\(([^)\s]+)\)")


@dataclass(frozen=True)
class Page:
    """A page of Markdown, taken apart."""

    prose: str
    """All outside of blocks of code."""
    blocks: tuple[str, ...]
    """Lines inside of them; one that ends in a backslash is one with the next."""

    @property
    def spans(self) -> list[str]:
        """Code inside of prose, also where it goes over the end of a line."""
        return [" ".join(span.split()) for span in re.findall(r"`([^`]+)`", self.prose)]

    @property
    def anchors(self) -> set[str]:
        """Of its headings, as they are spelt in links."""
        headings = re.findall(r"^#+ (.+)$", self.prose, re.MULTILINE)
        return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


@cache
def read_page(path: Path) -> Page:
    prose, blocks, is_code = [], [], False
    for line in path.read_text().replace("\\\n", " ").splitlines():
        if line.lstrip().startswith("```"):
            is_code = not is_code
        else:
            (blocks if is_code else prose).append(line)
    assert not is_code, f"{path}: a block of code has no end"
    return Page("\n".join(prose), tuple(blocks))


@dataclass(frozen=True)
class Command:
    """A command as a page gives it."""

    page: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}: {self.text.partition(' #')[0].strip()}"

    @property
    def words(self) -> list[str]:
        """The program, and what it is given."""
        match = _COMMAND.match(self.text)
        return [match["program"], *shlex.split(match["rest"], comments=True)]

    @property
    def verb(self) -> str:
        """Which verb of this project it calls; empty where it calls none."""
        program, first = self.words[:2]
        script = next((word for word in (program, first) if re.fullmatch(_VERB, word)), "")
        return first if program == "sda" and first in SCHEMAS else script.removesuffix(".py")

    @property
    def arguments(self) -> list[str]:
        start = self.verb if self.words[0] == "sda" else f"{self.verb}.py"
        return self.words[self.words.index(start) + 1 :]


def list_code(path: Path) -> list[str]:
    """Lines of blocks and code in prose; of commands beside each other, each."""
    page = read_page(path)
    parts = [part.strip() for line in (*page.blocks, *page.spans) for part in line.split("&&")]
    return [part for part in parts if part not in NO_COMMANDS]


def find_commands(path: Path) -> list[Command]:
    """Every command that starts Python, make or a verb."""
    return [Command(path.name, part) for part in list_code(path) if _COMMAND.match(part)]


COMMANDS = tuple({tuple(command.words): command for path in PAGES for command in find_commands(path)}.values())
"""Each once, however many pages give it."""
OF_VERBS = tuple(command for command in COMMANDS if command.verb)


def find_settings(path: Path) -> list[str]:
    """Code in prose that gives keys, such as `prior.name=density`, without an ellipsis."""
    spans = [span for span in read_page(path).spans if re.fullmatch(r"(?:[a-z_./]+=\S+\s?)+", span)]
    return [span for span in spans if "…" not in span and span not in NOT_THERE]


SETTINGS = tuple(sorted({setting for path in PAGES for setting in find_settings(path)}))


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A home with the sounds that commands name, for composing alone."""
    (tmp_path / "sounds").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


class _Folder:
    """What a folder of 18 sounds comes to, without one."""

    file_count, n_chunks, gain_db = 18, 93, 0.0

    def count_chunks(self, chunk_duration_s: float) -> int:
        return round(self.n_chunks / chunk_duration_s)


@pytest.fixture
def compose_as():
    """Composes and checks as a verb does."""

    def build(verb, overrides):
        root = ["data.root=/sounds"] if verb in ("train", "scan") else []
        composed = compose_verb(verb, *root, *overrides)
        if verb in ("generate", "export") and OmegaConf.is_missing(composed, "run"):
            composed.run = "last"
        return OmegaConf.to_object(composed)

    register_resolvers(lambda *_: _Folder())
    yield build
    register_resolvers(scan_once)


def test_the_front_page_is_one():
    assert len(README.read_text().splitlines()) <= LONGEST_README


@pytest.mark.parametrize("path", [*PAGES, *REPORTS], ids=lambda path: str(path.relative_to(PROJECT)))
def test_links_lead_somewhere(path):
    for target in _LINK.findall(read_page(path).prose):
        if re.match(r"\w+://", target):
            continue
        name, _, anchor = target.partition("#")
        place = (path.parent / name).resolve() if name else path
        assert place.exists(), target
        assert place.is_relative_to(PROJECT), target
        assert not anchor or anchor in read_page(place).anchors, target


def test_every_page_is_reached_from_the_readme():
    reached, left = {README}, [README]
    while left:
        page = left.pop()
        names = [target.partition("#")[0] for target in _LINK.findall(read_page(page).prose) if "://" not in target]
        found = {(page.parent / name).resolve() for name in names if name.endswith(".md")} - reached
        reached |= found
        left += found
    assert set(PAGES) <= reached
    assert set(REPORTS) <= reached


def test_files_that_are_named_are_there():
    named = re.compile(r"(?:sda|conf|experiments|tests|docs|\.ci)/[\w./-]+")
    spans = {(path.name, span) for path in PAGES for span in read_page(path).spans if named.fullmatch(span)}
    missing = sorted((page, span) for page, span in spans if not (PROJECT / span).exists())
    assert [(page, span) for page, span in missing if span not in EXAMPLES] == []


def test_no_command_is_written_in_a_way_that_escapes_these_tests():
    seems_one = re.compile(rf"{_VERB}\s+\S*=|\bmake\s+[a-z]|python[\d.]*\s+-m")
    code = [(path.name, part.partition(" #")[0]) for path in PAGES for part in list_code(path)]
    assert [(page, part) for page, part in code if seems_one.search(part) and not _COMMAND.match(part)] == []
    assert len(OF_VERBS) > 25


@pytest.mark.parametrize("command", [command for command in COMMANDS if not command.verb], ids=str)
def test_programs_that_are_named_are_there(command):
    program, *arguments = command.words
    if program == "make":
        _check_make(arguments)
        return
    if program == "sda":
        assert arguments[0] in VERBS
        return
    arguments = [argument for argument in arguments if not re.fullmatch(r"-3\.\d+", argument)]  # of Windows' launcher
    if arguments[0] == "-c":
        compile(arguments[1], str(command), "exec")
    elif arguments[0] == "-m":
        assert _is_module(arguments[1])
    else:
        assert arguments[0].endswith(".py")
        assert (PROJECT / arguments[0]).is_file()


@pytest.mark.parametrize("path", REPORTS, ids=lambda path: path.parent.name)
def test_what_reports_say_how_to_run_is_there(path):
    for command in find_commands(path):
        program, *arguments = command.words
        if program == "make":
            _check_make(arguments)
        elif arguments[:1] == ["-m"]:
            assert _is_module(arguments[1]), str(command)
        elif not command.verb:
            assert (PROJECT / arguments[0]).is_file(), str(command)


def _check_make(arguments):
    text = (PROJECT / "Makefile").read_text()
    for argument in arguments:
        name, is_variable, _ = argument.partition("=")
        assert f"$({name})" in text if is_variable else re.search(rf"^{re.escape(name)}:", text, re.MULTILINE), argument


def _is_module(name):
    if name in BROUGHT_MODULES:
        return True
    found = importlib.util.find_spec(name)
    if found is not None and found.submodule_search_locations is not None:
        found = importlib.util.find_spec(f"{name}.__main__")
    return found is not None


@pytest.mark.parametrize("command", OF_VERBS, ids=str)
def test_commands_compose(command, compose_as, home):
    flags = [argument for argument in command.arguments if argument.startswith("-") and argument != "--cfg"]
    assert set(flags) <= FLAGS
    given = [argument for argument in command.arguments if not argument.startswith("-") and argument != "job"]
    overrides = OverridesParser.create().parse_overrides(prepare_arguments(given))
    assert "-m" in flags or not any(override.is_sweep_override() for override in overrides)
    first = [_list_values(override)[0] for override in overrides]
    compose_as(command.verb, first)
    for place, override in enumerate(overrides):
        for value in _list_values(override)[1:]:
            compose_as(command.verb, [*first[:place], value, *first[place + 1 :]])
    keys = {override.key_or_group for override in overrides}
    assert "resume" not in keys or keys <= {"resume", *RESUMABLE_KEYS}


def _list_values(override: Override) -> list[str]:
    """One override for each value that it is swept over; of a range, its lower end."""
    if not override.is_sweep_override():
        return [override.input_line]
    if override.is_choice_sweep():
        return [f"{override.key_or_group}={value}" for value in override.sweep_string_iterator()]
    sweep = override.value()
    assert isinstance(sweep, IntervalSweep)
    return [f"{override.key_or_group}={sweep.start}"]


@pytest.mark.parametrize("setting", SETTINGS)
def test_settings_that_are_named_are_allowed(setting, compose_as, home):
    given = shlex.split(setting)
    keys = {one.partition("=")[0] for one in given}
    verbs = [verb for verb, known in KEYS.items() if keys <= known]
    if any(key in GROUPS or key.startswith("hydra") for key in keys):
        verbs = ["train"]
    assert verbs, "no verb has such a key"
    needed = [other for beginning, other in NEEDED.items() if setting.startswith(beginning)]
    failures = []
    for verb in verbs:
        try:
            compose_as(verb, prepare_arguments([*needed, *given]))
        except (SdaError, HydraException) as error:  # another verb may have a key of that name
            failures.append(error)
    assert len(failures) < len(verbs), failures


def test_keys_that_are_named_are_in_a_schema():
    known = set().union(*KEYS.values())
    sections = {key[:end] for key in known for end, letter in enumerate(key) if letter == "."}
    unknown = [
        f"{path.name}: {key}"
        for path in PAGES
        for span in read_page(path).spans
        for key in re.findall(r"(?<![\w./:{-])[a-z_]+(?:\.[a-z0-9_*]+)+", span)
        if key.partition(".")[0] in SECTIONS and key.rpartition(".")[2] not in FILE_ENDINGS
        if key not in known and key.removesuffix(".*") not in sections
    ]
    assert unknown == []


FEWER = {"evaluate": ("n_generated=6", "max_clips=1"), "generate": ("n=2",), "scan": ("estimate=false",)}
"""Keys that are given behind those of a command, so that it is over sooner."""


REFUSED = re.compile(
    r"error: (level|brightness|noisiness)=\S+( is out of range|: on this model the control does not keep)"
)
"""What a model in miniature may say of a control: what it can be turned by is seen when it was trained."""


@pytest.mark.slow
def test_commands_run(project):
    """All but trainings, on two runs in miniature; of trainings, what only shows something."""
    first, second = (str(run_dir) for run_dir in project.runs())
    files = json.loads((Path(second) / "manifest.json").read_text())["files"]
    trained_on = next(Path(file["path"]).name for file in files if file.get("split") == "train")
    for command in OF_VERBS:
        arguments = [re.sub(r"(?<==)A,B", f"{first},{second}", argument) for argument in command.arguments]
        arguments = [re.sub(r"rain_\d\d\.wav(?=@)", trained_on, argument) for argument in arguments]
        is_shown = bool({"--cfg", "--help"} & set(arguments))
        if command.verb in ("train", "play") and not is_shown:  # tests/app/test_play.py serves a page
            continue
        process = project.start(command.verb, *arguments, *(() if is_shown else FEWER.get(command.verb, ())))
        told = "".join(process.communicate(timeout=600))
        is_refused = REFUSED.search(told) is not None and process.returncode == 1
        assert process.returncode == 0 or is_refused, f"{command}\n{told}"
    _check_keys_of_evaluation(json.loads((Path(second) / "evaluation" / "evaluation.json").read_text()))


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project's folder with a sweep of two runs, in a home with the sounds that commands name."""
    for folder, n_files, seed in (("sounds", 9, 0), ("new-sounds", 4, 20), ("two", 2, 30)):
        (tmp_path / folder).mkdir()
        for number in range(n_files):
            soundfile.write(tmp_path / folder / f"{5 * 'abcdefghi'[number]}.wav", _make_sound(seed + number), RATE_HZ)
    soundfile.write(tmp_path / "voice.wav", _make_sound(40), RATE_HZ)
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "experiments").symlink_to(PROJECT / "experiments")
    (folder / "rise.csv").write_text("0,0\n1,2\n")
    monkeypatch.setenv("MPLCONFIGDIR", mpl.get_cachedir())  # a new home would have its fonts looked for anew
    monkeypatch.setenv("HOME", str(tmp_path))
    command_line = CommandLine(folder)
    tiny = [setting for setting in TINY if setting != "model=mel_vae"]
    quick = ("training.max_epochs=1", "tracking=none")
    command_line.run("train", "-m", "data.root=~/sounds", *tiny, *quick, "seed=0,1")
    return command_line


def _make_sound(seed: int) -> np.ndarray:
    """Noise and ringing tones that no other seed shares, `[T]`."""
    rng = np.random.default_rng(seed)
    time_s = np.arange(round(3.7 * RATE_HZ)) / RATE_HZ
    sound = 0.02 * rng.standard_normal(len(time_s))
    for hz, start_s in zip(rng.uniform(200, 5000, 10), rng.uniform(0, 3.0, 10), strict=True):
        since_s = np.clip(time_s - start_s, 0, None)
        sound += 0.1 * np.sin(2 * np.pi * hz * since_s) * np.exp(-6 * since_s) * (since_s > 0)
    return sound.astype(np.float32)


ABSENT = {"memorisation.doubt", "silence.generated.drawn_again"}
"""Keys that an evaluation has only where there is something to say."""


def _check_keys_of_evaluation(values):
    text = (PROJECT / "docs" / "reading-a-report.md").read_text()
    rows = text.partition("## Keys of evaluation.json")[2].partition("\n## ")[0].splitlines()
    cells = [row.split("|")[1] for row in rows if row.startswith("| `")]
    assert len(cells) > 10
    for cell in cells:
        key = ""
        for name in re.findall(r"`([^`]+)`", cell):
            key = key.rpartition(".")[0] + name if name.startswith(".") else name
            assert key in ABSENT or _has(values, key.split(".")), f"evaluation.json has no {key}"


def _has(values, parts):
    """Whether nested values have a key; parts in capitals stand for any."""
    if not parts:
        return True
    if not isinstance(values, dict):
        return False
    first, *rest = parts
    return any(_has(values[name], rest) for name in values if first.isupper() or name == first)
