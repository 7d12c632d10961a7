"""MLflow kept to runs, and to this machine."""

import os
import subprocess
import sys

import pytest

from sda.tracking.quiet import SETTINGS, keep_quiet

TELLS_NOBODY = """
import pathlib, sys
from sda.tracking.store import connect
connect(f"sqlite:///{sys.argv[1]}/mlflow.db")
from mlflow.telemetry import get_telemetry_client
from mlflow.telemetry.utils import fetch_ui_telemetry_config, is_telemetry_disabled
assert is_telemetry_disabled()
assert get_telemetry_client() is None
assert fetch_ui_telemetry_config()["disable_ui_telemetry"]
"""


@pytest.fixture
def unset(monkeypatch):
    for name in SETTINGS:
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


def test_what_you_set_yourself_stays(unset):
    unset.setenv("MLFLOW_DISABLE_TELEMETRY", "false")
    unset.setattr(os, "environ", dict(os.environ))
    keep_quiet()
    assert os.environ["MLFLOW_DISABLE_TELEMETRY"] == "false"
    assert os.environ["MLFLOW_ENABLE_AI_GATEWAY"] == "false"


@pytest.mark.slow
def test_a_process_that_delivers_tells_mlflows_makers_nothing(tmp_path):
    """Outside of tests and CI, where MLflow is silent anyway; nothing leaves the machine even if it tried."""
    kept = {key: os.environ[key] for key in ("PATH", "PYTHONPATH", "OMP_NUM_THREADS") if key in os.environ}
    nowhere = {"HTTP_PROXY": "http://127.0.0.1:9", "HTTPS_PROXY": "http://127.0.0.1:9", "HOME": str(tmp_path)}
    command = [sys.executable, "-c", TELLS_NOBODY, str(tmp_path)]
    done = subprocess.run(command, env=kept | nowhere, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / ".config" / "mlflow" / "telemetry.json").exists()
