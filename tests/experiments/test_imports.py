"""Experiments can be started: every one of their modules finds what it imports."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
FOLDERS = sorted({path.parent for path in (PROJECT / "experiments").rglob("*.py")})


@pytest.mark.slow
@pytest.mark.parametrize("folder", FOLDERS, ids=[str(folder.relative_to(PROJECT)) for folder in FOLDERS])
def test_every_module_of_an_experiment_can_be_imported(folder):
    """A folder that is no package runs its scripts with itself on the path."""
    names = [path.stem for path in folder.glob("*.py") if path.stem not in ("__init__", "__main__")]
    package = "" if not (folder / "__init__.py").exists() else ".".join(folder.relative_to(PROJECT).parts) + "."
    code = "import importlib, sys\nfor name in sys.argv[1:]: importlib.import_module(name)"
    path = {"PYTHONPATH": f"{PROJECT}:{folder}"}
    done = subprocess.run(
        [sys.executable, "-c", code, *(f"{package}{name}" for name in names)],
        env={**os.environ, **path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
