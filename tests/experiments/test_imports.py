"""Experiments can be started: every one of their modules finds what it imports."""

import os
from pathlib import Path

import pytest

from tests.forked import ForkedScript

PROJECT = Path(__file__).parents[2]
FOLDERS = sorted({path.parent for path in (PROJECT / "experiments").rglob("*.py")})


@pytest.mark.slow
@pytest.mark.parametrize("folder", FOLDERS, ids=[str(folder.relative_to(PROJECT)) for folder in FOLDERS])
def test_every_module_of_an_experiment_can_be_imported(folder, tmp_path):
    """A folder that is no package runs its scripts with itself on the path."""
    names = [path.stem for path in folder.glob("*.py") if path.stem not in ("__init__", "__main__")]
    package = "" if not (folder / "__init__.py").exists() else ".".join(folder.relative_to(PROJECT).parts) + "."
    given = (str(folder), *(f"{package}{name}" for name in names))
    home = tmp_path / "home"
    home.mkdir()
    process = ForkedScript(PROJECT / "tests" / "experiments" / "import_modules.py", given, home, dict(os.environ))
    told = "".join(process.communicate(timeout=300))
    assert process.returncode == 0, told
