"""Which store `make ui` shows."""

import os

import pytest

from sda.app.ui import main


@pytest.fixture
def started(monkeypatch) -> list[list[str]]:
    """The commands that would take the place of this process."""
    commands: list[list[str]] = []
    monkeypatch.setattr(os, "execv", lambda program, command: commands.append(command))
    return commands


def test_a_server_in_the_environment_is_named_and_none_is_started(monkeypatch, capsys, started):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://mlflow.example.org/")
    main("5000")
    assert capsys.readouterr().out.startswith("open https://mlflow.example.org/#/experiments")
    assert started == []


def test_a_database_in_the_environment_is_shown(monkeypatch, capsys, started, tmp_path):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/team.db")
    main("5001")
    assert "open http://127.0.0.1:5001/" in capsys.readouterr().out
    assert f"sqlite:///{tmp_path}/team.db" in started[0]
