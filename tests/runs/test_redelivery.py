"""What is said of a run that MLflow does not have all of: why, and a command that works from where the user stands."""

import shutil
from pathlib import Path

import pytest

from sda.errors import TrackingError
from sda.runs.redelivery import describe_lack, name_sync
from sda.tracking import delivery
from sda.tracking.delivery import Delivery, try_to_deliver
from tests.verbs import PROJECT


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _fail_with(monkeypatch, error: Exception, run_dir: Path) -> str:
    def fail(run_dir: Path) -> list[str]:
        raise error

    monkeypatch.setattr(delivery, "deliver", fail)
    return describe_lack(try_to_deliver(run_dir), run_dir)


def test_make_is_named_only_in_a_checkout_and_for_runs_that_it_looks_at(here, monkeypatch):
    run_dir = here / "runs" / "day" / "one"
    assert name_sync(run_dir) == "`sda sync`", "a folder of the user's own"
    (here / "Makefile").write_text("all:\n\techo another's\n")
    assert name_sync(run_dir) == "`sda sync`"
    shutil.copy(PROJECT / "Makefile", here)
    monkeypatch.setattr(shutil, "which", lambda name: f"/bin/{name}")
    assert name_sync(run_dir) == "`make sync`"
    assert name_sync(here / "else where") == f"`sda sync '{here}/else where'`"
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert name_sync(run_dir) == "`sda sync`", "no make on this machine"


def test_nothing_is_said_of_a_run_that_mlflow_has(here):
    assert describe_lack(Delivery("", []), here) == ""


def test_each_failure_names_its_own_remedy(here, monkeypatch):
    run_dir = here / "runs" / "day" / "one"
    asked = "API request to endpoint x failed with error code"
    said = {code: _fail_with(monkeypatch, RuntimeError(f"{asked} {code} != 200."), run_dir) for code in (401, 403, 500)}
    assert said[401].startswith("HTTP 401, the server does not know this user: set MLFLOW_TRACKING_USERNAME and")
    assert said[403].startswith("HTTP 403, the server does not let this user write there: ask whoever runs it")
    assert all(said[code].endswith("`sda sync` delivers it then") for code in (401, 403))
    assert said[500].endswith("`sda sync` delivers it once the store answers")
    assert _fail_with(monkeypatch, ConnectionError("refused"), run_dir).startswith(
        "ConnectionError: refused. The journal"
    )


def test_no_command_is_named_where_none_would_help(here, monkeypatch):
    text = _fail_with(monkeypatch, TrackingError("the store keeps files elsewhere."), here)
    assert text == "the store keeps files elsewhere. The journal in the run's folder has it all."
