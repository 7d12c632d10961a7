"""The package works without the checkout around it."""

import os
import subprocess
import sys
import zipfile

import pytest

from sda.play.server import PAGE
from tests.verbs import PROJECT


@pytest.mark.slow
def test_an_installed_wheel_composes(tmp_path, make_sounds):
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path / "dist")]
    subprocess.run(build, cwd=PROJECT, check=True, capture_output=True)
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    installed = tmp_path / "installed"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(installed)
        shipped = {"sda/py.typed", "sda/conf/train.yaml", "sda/conf/scan.yaml", "sda/report/templates/scan.html.j2"}
        shipped |= {"sda/conf/play.yaml", *(f"sda/play/static/{name}" for name, _ in PAGE.values())}
        assert shipped <= set(archive.namelist())
        (metadata,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        assert "\nName: sda-audio\n" in archive.read(metadata).decode()
    code = (
        "import sda, sys\n"
        f"assert sda.__file__.startswith({str(installed)!r})\n"
        f"sys.argv[1:] = ['data.root={make_sounds(4)}', '--cfg', 'job', '--resolve']\n"
        "from sda.app.command_line import train\n"
        "train()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(installed)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "file_count: 4" in done.stdout, done.stderr
