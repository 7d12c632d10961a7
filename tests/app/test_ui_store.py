"""Which store `make ui` shows, and where."""

import os
import socket
import sqlite3
import subprocess
from contextlib import closing

import pytest

from sda.app import ui
from sda.app.ui import main
from sda.tracking.quiet import SETTINGS


class _Server:
    """Stands in for the server that would be started; it answers at once, and ends."""

    def __init__(self, command):
        self.command = command
        _Server.started.append(command)

    def poll(self):
        return None

    def wait(self):
        return 0


@pytest.fixture
def started(monkeypatch) -> list[list[str]]:
    """The commands of servers that would be started."""
    _Server.started = []
    monkeypatch.setattr(subprocess, "Popen", _Server)
    monkeypatch.setattr(ui, "_wait_for_answer", lambda server, port: True)
    monkeypatch.setattr(ui.signal, "signal", lambda *_: None)
    return _Server.started


@pytest.fixture
def port() -> str:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return str(free.getsockname()[1])


def test_a_server_in_the_environment_is_named_and_none_is_started(monkeypatch, capsys, started):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://mlflow.example.org/")
    main("5000")
    assert capsys.readouterr().out.startswith("open https://mlflow.example.org/#/experiments")
    assert started == []


def test_a_database_in_the_environment_is_shown(monkeypatch, capsys, started, tmp_path, port):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/team.db")
    with pytest.raises(SystemExit, match="0"):
        main(port)
    assert f"open http://127.0.0.1:{port}/#/experiments?" in capsys.readouterr().out
    assert f"sqlite:///{tmp_path}/team.db" in started[0]


def test_the_link_leads_to_the_runs_of_the_experiment(monkeypatch, capsys, started, tmp_path, port):
    with closing(sqlite3.connect(tmp_path / "team.db")) as database, database:
        database.execute("CREATE TABLE experiments (experiment_id INTEGER, name TEXT)")
        database.execute("INSERT INTO experiments VALUES (0, 'Default'), (7, 'sda')")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/team.db")
    with pytest.raises(SystemExit, match="0"):
        main(port)
    assert f"open http://127.0.0.1:{port}/#/experiments/7/runs?workflowType=machine_learning" in capsys.readouterr().out


def test_the_server_is_started_quietly_and_on_this_machine_alone(monkeypatch, started, tmp_path, port):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(os, "environ", {key: value for key, value in os.environ.items() if key not in SETTINGS})
    with pytest.raises(SystemExit, match="0"):
        main(port)
    (command,) = started
    assert command[1:4] == ["-m", "mlflow", "server"]
    assert command[-6:] == ["--workers", "1", "--host", "127.0.0.1", "--port", port]
    assert SETTINGS.items() <= os.environ.items()


def test_a_port_that_is_taken_is_told_with_another(monkeypatch, started, tmp_path):
    monkeypatch.chdir(tmp_path)
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(SystemExit, match=rf"port {port} is taken .*: sda ui {port + 1}"):
            main(str(port))
    assert started == []
