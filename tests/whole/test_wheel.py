"""The package works without the checkout around it."""

import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

from sda.play.server import PAGE
from tests.verbs import PROJECT, TINY

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

    def run(program: str, *arguments: str) -> str:
        done = subprocess.run(
            [str(installed / program), *arguments],
            cwd=folder, env=environment | {"OMP_NUM_THREADS": "1"}, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    assert run("python", "-c", "import sda; print(sda.__file__)").startswith(str(installed.parent))
    run("sda", "train", f"data.root={make_sounds(6)}", "training.max_epochs=1", "tracking=none", *TINY)
    run("sda", "generate", "run=last", "n=1", "duration_s=0.5")
    run("sda", "export", "run=last", "format=sda")
    assert len(list(folder.glob("runs/*/*/generated/**/*.wav"))) == 1
    assert len(list(folder.glob("**/*.sda"))) == 1
