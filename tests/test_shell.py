"""Commands that a person can type where they stand."""

import shutil

from sda.shell import name_command


def test_the_command_is_makes_only_where_its_makefile_and_make_are(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")
    assert name_command("ui") == "sda ui"
    (tmp_path / "Makefile").write_text("ui:\n\techo somebody else's\n")
    assert name_command("ui") == "sda ui"
    (tmp_path / "Makefile").write_text("ui: setup\n\t.venv/bin/python -m sda ui $(PORT)\n")
    assert name_command("ui") == "make ui"
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert name_command("ui") == "sda ui"
