"""The package works without the checkout around it."""

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

from sda.config.help import SCHEMAS
from sda.play.server import PAGE
from tests.verbs import PROJECT, TINY

SCRIPT = re.compile(rf"\b(?:{'|'.join(SCHEMAS)})\.py\b".encode())
"""A script of the checkout, which whoever installed the wheel has not."""

_UV = shutil.which("uv", path=os.pathsep.join((os.environ.get("PATH", ""), str(PROJECT / ".uv" / "bin"))))


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=PROJECT, check=True, capture_output=True)
    (built,) = folder.glob("*.whl")
    return built


@pytest.mark.slow
def test_a_wheel_brings_what_is_no_python(wheel):
    with zipfile.ZipFile(wheel) as archive:
        shipped = {"sda/py.typed", "sda/conf/train.yaml", "sda/conf/scan.yaml", "sda/report/templates/scan.html.j2"}
        shipped |= {"sda/conf/play.yaml", *(f"sda/play/static/{name}" for name, _ in PAGE.values())}
        assert shipped <= set(archive.namelist())
        (metadata,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        assert "\nName: sda-audio\n" in archive.read(metadata).decode()


@pytest.fixture
def installed(wheel, tmp_path) -> Path:
    """An environment that holds the wheel, and sees the libraries of this one but not the checkout; its programs."""
    folder = tmp_path / "environment"
    python = folder / "bin" / "python"
    if _UV:
        make = [_UV, "venv", "--quiet", "--offline", "--python", sys.executable, str(folder)]
        install = [_UV, "pip", "install", "--quiet", "--offline", "--no-deps", "--python", str(python), str(wheel)]
    else:
        make = [sys.executable, "-m", "venv", str(folder)]
        install = [
            str(python),
            "-m",
            "pip",
            "install",
            "--quiet",
            "--no-index",
            "--no-deps",
            "--no-compile",
            str(wheel),
        ]
    for command in (make, install):
        subprocess.run(command, check=True, capture_output=True, text=True)
    libraries = Path(sysconfig.get_path("purelib", "venv", vars={"base": str(folder)}))
    # A folder that a .pth file adds is searched, but its own .pth files, which lead to the checkout, are not read.
    (libraries / "seen.pth").write_text(sysconfig.get_path("purelib"))
    return python.parent


@pytest.mark.slow
def test_an_installed_wheel_trains_generates_and_exports(installed, make_sounds, tmp_path):
    folder = tmp_path / "empty"
    folder.mkdir()
    environment = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "VIRTUAL_ENV")}

    def run(program: str, *arguments: str, code: int = 0) -> str:
        done = subprocess.run(
            [str(installed / program), *arguments],
            cwd=folder, env=environment | {"OMP_NUM_THREADS": "1"}, capture_output=True, text=True, check=False,
        )  # fmt: skip
        told = done.stdout + done.stderr
        assert done.returncode == code, told
        assert not SCRIPT.search(told.encode()), told
        return told

    assert run("python", "-c", "import sda; print(sda.__file__)").startswith(str(installed.parent))
    told = run("sda", "train", f"data.root={make_sounds(6)}", "training.max_epochs=1", "tracking=none", *TINY)
    (run_dir,) = folder.glob("runs/*/*")
    assert f"  sda generate run={run_dir} n=8 duration_s=10\n" in told
    run("sda", "generate", "run=last", "n=1", "duration_s=0.5", "output=new")
    run("sda-export", "run=last", "format=sda", "name=tones", "output=model")
    assert b"sda generate run=" in (folder / "new" / "sound_001.wav").read_bytes()
    assert "sda generate run=tones.sda n=8" in (folder / "model" / "model_card.md").read_text()
    for path in filter(Path.is_file, folder.rglob("*")):
        assert not SCRIPT.search(path.read_bytes()), path

    assert "\n  train " in run("sda", "--help")
    assert "\n  sda train resume=last " in run("sda", "train", "--help")
    assert run("sda", "train", code=1).endswith("Give the folder with your sounds: sda train data.root=~/sounds\n")
    words = "error: sda generate has no key runs; sda compare has. Did you mean run? "
    assert run("sda", "generate", "runs=last", code=1) == f"{words}Every key with its range: sda generate --help\n"
    code = "import sda; sda.train(keys={'hydra.mode': 'MULTIRUN'})"
    assert "sweeps are the command line's: sda train -m\n" in run("python", "-c", code, code=1)
    for verb in ("scan", "generate", "evaluate", "compare", "play", "export"):
        assert f"\n  sda {verb} " in run("sda", verb, "--help")
