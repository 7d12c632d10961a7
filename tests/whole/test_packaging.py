"""What is installed is called `sda-audio`: `sda` on PyPI belongs to somebody else, and nobody is sent there."""

import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]

STRANGER = re.compile(
    r"""(?<![\w./-])sda\[                                                  # an extra of it
    | \b(?:pip3?|pipx|uv|poetry|pdm|conda)\s[^\n`]*?\b(?:install|add)\s    # an installer, told
      (?:[^\n`]*[\s'"])?sda(?![\w/-])                                      # its name, among others
    """,
    re.VERBOSE,
)


def _list_tracked_files():
    if shutil.which("git") is None or not (PROJECT / ".git").exists():
        pytest.skip("only a checkout knows which files belong to it")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=PROJECT, capture_output=True, text=True, check=True)
    return [PROJECT / name for name in listed.stdout.split("\0") if name and (PROJECT / name).is_file()]


def test_the_distribution_has_a_name_of_its_own():
    with open(PROJECT / "pyproject.toml", "rb") as file:
        assert tomllib.load(file)["project"]["name"] == "sda-audio"


def test_nobody_is_told_to_install_what_belongs_to_somebody_else():
    texts = {path: path.read_bytes() for path in _list_tracked_files()}
    texts = {path: content.decode(errors="replace") for path, content in texts.items() if b"\0" not in content}
    assert PROJECT / "README.md" in texts
    assert PROJECT / "conf" / "hydra" / "launcher" / "joblib.yaml" in texts
    found = [f"{path}: {match[0]}" for path, text in texts.items() for match in STRANGER.finditer(text)]
    assert not found


@pytest.mark.parametrize(
    "advice",
    [
        "pip install {}", "pip install '{}[sweep]'", 'pip3 install "{}>=1"', "python -m pip install -U torch {}==0.1",
        "uv add {}", "uv pip install {}\n", "uv tool install {}", "pipx install {}", "it comes with {}[eval]",
    ],
)  # fmt: skip
def test_the_strangers_name_is_recognised_in_advice(advice):
    assert STRANGER.search(advice.format("sda"))
    assert not STRANGER.search(advice.format("sda-audio"))


@pytest.mark.parametrize(
    "advice", ["uv pip install -e '.[sweep]'", "pip install ./sda/", "pip uninstall {}", "{}.load", "make setup\n{} is"]
)
def test_other_uses_of_the_name_are_none_of_its_business(advice):
    assert not STRANGER.search(advice.format("sda"))
