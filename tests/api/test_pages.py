"""The notebook runs from its first cell to its last, and the pages name what there is."""

import ast
import inspect
import json
import re
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
import soundfile

import sda
from sda.config.verbs import EvaluateConfig, GenerateConfig
from tests.api.test_training import KEYS
from tests.conftest import RATE_HZ

PROJECT = Path(__file__).parents[2]
NOTEBOOK = PROJECT / "docs" / "notebook.ipynb"
PAGES = (PROJECT / "README.md", PROJECT / "docs" / "python.md")


@pytest.mark.slow
def test_the_notebook_goes_from_sounds_to_a_piece(make_sounds, tmp_path, monkeypatch, capsys):
    notebook = json.loads(NOTEBOOK.read_text())
    assert notebook["nbformat"] == 4
    settings, *cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert all(cell["outputs"] == [] for cell in cells), "kept without what it printed"
    monkeypatch.chdir(tmp_path)
    names = {}
    exec("".join(settings["source"]), names)
    assert (PROJECT / "docs" / names["sounds"]).is_dir()
    given = {"sounds": str(make_sounds(6)), "minutes": None, "seconds": 0.4, "keys": {**names["keys"], **KEYS}}
    assert set(given) == set(names) - {"__builtins__"}
    names |= given
    for cell in cells:
        exec("".join(cell["source"]), names)
    assert "run finished" in capsys.readouterr().out
    piece, rate_hz = soundfile.read(tmp_path / "piece.wav")
    assert rate_hz == RATE_HZ
    assert len(piece) == 5 * round(0.2 * RATE_HZ) + len(names["slower"])
    assert np.abs(piece[-len(names["slower"]) :]).max() > 0


def _list_calls():
    """Every call of the front door on the pages."""
    for path in PAGES:
        for block in re.findall(r"```python\n(.*?)```", path.read_text(), re.DOTALL):
            for node in ast.walk(ast.parse(block)):
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                    yield ast.unparse(node.func.value), node.func.attr, [one.arg for one in node.keywords]


def test_calls_on_the_pages_are_there():
    owners = {"sda": sda, "model": sda.Model, "sound": sda.Sound}
    known = {item.name for schema in (GenerateConfig, EvaluateConfig) for item in fields(schema)}
    checked = [(owners[owner], name, keys) for owner, name, keys in _list_calls() if owner in owners]
    assert len(checked) > 15
    for owner, name, keys in checked:
        assert name in sda.__all__ or owner is not sda
        parameters = set(inspect.signature(getattr(owner, name)).parameters)
        is_open = "settings" in parameters
        assert set(keys) <= parameters | (known | {"sample_rate_hz"} if is_open else set()), (name, keys)
