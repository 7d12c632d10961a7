"""An MLflow model: loaded and served by MLflow itself, it sounds as its file does, and nothing in it is a pickle."""

import base64
import io
import json
import os
import pickletools
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import numpy as np
import pytest
import soundfile
import yaml

import sda
from experiments.torture.servers import find_free_port
from sda.api.mlflow_loader import MOST_ROWS, _load_pyfunc
from sda.errors import ConfigError
from sda.export import mlflow_model
from sda.export.mlflow_model import LOADER, list_requirements, write_mlflow_model
from sda.tracking.quiet import SETTINGS

pytestmark = pytest.mark.filterwarnings("ignore")  # MLflow's own imports warn of themselves

START_S = 300.0
ASKED = {"seed": 7, "seconds": 0.25, "novelty": 0.5}


@pytest.fixture(scope="session")
def written(model, description, tmp_path_factory):
    """A model's folder, made where another project of uv's lies, and the files in it."""
    folder, elsewhere = tmp_path_factory.mktemp("mlflow"), tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "uv.lock").write_text("version = 1")
    (elsewhere / "pyproject.toml").write_text('[project]\nname = "ada"')
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(elsewhere)
        return folder, write_mlflow_model(model, description, folder)


@pytest.fixture(scope="module")
def loaded(written):
    from mlflow.pyfunc import load_model

    return load_model(str(written[0]))


def _read(row):
    samples, rate_hz = soundfile.read(io.BytesIO(base64.b64decode(row["wav"], validate=True)), dtype="int16")
    assert rate_hz == row["sample_rate_hz"]
    assert len(samples) / rate_hz == row["seconds"]
    return samples


@pytest.fixture(scope="module")
def expected(written, tmp_path_factory):
    """The sound that is asked for, as the file in the folder gives it, at 16 bits."""
    sound = sda.load(written[0] / "data" / "rain.sda").sample(**ASKED)
    path = sound.save(tmp_path_factory.mktemp("sound") / "sound.wav", file_format="wav16")
    samples = soundfile.read(path, dtype="int16")[0]
    assert np.abs(samples).max() > 0
    return samples, sound.provenance["shares"]


def test_the_folder_says_what_it_is_and_names_nothing_of_this_machine(written):
    folder, files = written
    assert files[0] == folder / "MLmodel"
    assert sorted(files) == sorted(path for path in folder.rglob("*") if path.is_file())
    assert {path.relative_to(folder).as_posix() for path in files} == {
        "MLmodel", "data/rain.sda", "requirements.txt", "conda.yaml", "python_env.yaml",
        "input_example.json", "serving_input_example.json",
    }  # fmt: skip
    said = yaml.safe_load((folder / "MLmodel").read_text())
    flavor = said["flavors"]["python_function"]
    assert flavor["loader_module"] == LOADER == _load_pyfunc.__module__
    assert flavor["data"] == "data/rain.sda"
    assert flavor["code"] is None
    assert said["metadata"]["license"] == "CC BY 4.0"
    assert [one["name"] for one in json.loads(said["signature"]["inputs"])] == ["seed", "seconds", "novelty", "mode"]
    for path in files:
        assert not any(place in path.read_bytes() for place in (b"/tmp", b"/home", b"file:", os.fsencode(sys.prefix)))


def test_no_file_is_a_pickle(written):
    for path in written[1]:
        with pytest.raises(ValueError), path.open("rb") as file:  # noqa: PT011
            for _ in pickletools.genops(file):
                pass


def test_packages_are_named_with_versions_that_an_index_has(written):
    lines = (written[0] / "requirements.txt").read_text().split()
    assert lines == list_requirements()
    assert lines[0] == f"sda-audio=={sda.__version__}"
    assert {"torch", "torchaudio", "mlflow", "numpy", "soundfile"} <= {line.split("==")[0] for line in lines}
    assert not any("+" in line or "/" in line or "pytest" in line for line in lines)


def test_without_knowing_what_is_needed_nothing_is_written(model, description, tmp_path, monkeypatch):
    def find_none(name):
        raise PackageNotFoundError(name)

    monkeypatch.setattr(mlflow_model, "requires", find_none)
    with pytest.raises(ConfigError, match="sda-audio is not installed here: run `make setup`"):
        write_mlflow_model(model, description, tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_sound_is_the_files_at_16_bits_and_says_what_it_is_made_of(loaded, expected):
    others = {"seed": 8, "seconds": 0.5, "novelty": None, "mode": "sample"}
    first, second = loaded.predict([ASKED, others])
    assert np.array_equal(_read(first), expected[0])
    assert json.loads(first["sources"]) == expected[1]
    assert set(expected[1]) <= {"recording 1", "recording 2", "recording 3"}
    assert second["seconds"] == 0.5
    assert not np.array_equal(_read(second)[: len(expected[0])], expected[0])


def test_a_table_is_as_good_as_rows(loaded, expected):
    from pandas import DataFrame

    (row,) = loaded.predict(DataFrame([ASKED]))
    assert np.array_equal(_read(row), expected[0])


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"seconds": 60.5}, "row 2: seconds=60.5 is not allowed: give more than 0 and 60 at most"),
        ({"seconds": 0.0}, "row 2: seconds=0.0 is not allowed"),
        ({"seconds": float("nan")}, "row 2: seconds is missing"),
        ({"mode": "vary"}, "row 2: mode=vary is not to be had here: leave it out, or give sample"),
        ({"novelty": 2.0}, "row 2: novelty=2.0 is out of range: allowed is at least 0 and at most 1"),
        ({"seed": -1}, "row 2: seed=-1 is out of range: allowed is at least 0"),
    ],
)
def test_what_is_not_allowed_is_said_and_is_the_askers_fault(loaded, changed, message):
    from mlflow.exceptions import MlflowException

    with pytest.raises(MlflowException) as refused:
        loaded.predict([ASKED, ASKED | changed])
    assert message in refused.value.message
    assert refused.value.error_code == "INVALID_PARAMETER_VALUE"
    assert refused.value.get_http_status_code() == 400


def test_too_many_rows_are_refused_and_none_give_none(loaded, written):
    from mlflow.exceptions import MlflowException

    with pytest.raises(MlflowException, match="17 rows are too many: ask for 16 sounds a call at most"):
        loaded.predict([ASKED] * (MOST_ROWS + 1))
    bare = _load_pyfunc(str(written[0] / "data" / "rain.sda"))
    assert bare.predict([]) == []
    with pytest.raises(MlflowException, match="row 1: brightness is unknown: a row has seed, seconds, novelty, mode"):
        bare.predict([ASKED | {"brightness": 0.5}])
    with pytest.raises(MlflowException, match="row 1: seconds=auto is not allowed"):
        bare.predict([ASKED | {"seconds": "auto"}])


@pytest.fixture(scope="module")
def server(written, tmp_path_factory):
    """MLflow's own server of models, in a process group that ends with the test."""
    port, log = find_free_port(), tmp_path_factory.mktemp("served") / "log"
    command = ["models", "serve", "-m", str(written[0]), "--env-manager", "local", "-h", "127.0.0.1", "-p", str(port)]
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "mlflow", *command],
            env={
                **os.environ,
                **SETTINGS,
                "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            },
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        deadline = time.monotonic() + START_S
        while not _answers(port):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.2)
        yield f"http://127.0.0.1:{port}/invocations"
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _answers(port):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/ping", timeout=5) as answer:
            return answer.status == 200
    except OSError:
        return False


def _ask(address, asked):
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(address, json.dumps(asked).encode(), headers)
    with urllib.request.urlopen(request, timeout=120) as answer:
        return json.load(answer)["predictions"]


@pytest.mark.slow
def test_served_it_takes_json_and_gives_wav(server, written, expected):
    for asked in (
        {"dataframe_records": [ASKED]},
        {"dataframe_split": {"columns": list(ASKED), "data": [list(ASKED.values())]}},
        {"inputs": [ASKED]},
    ):
        (row,) = _ask(server, asked)
        assert np.array_equal(_read(row), expected[0])
        assert json.loads(row["sources"]) == expected[1]
    (whole,) = _ask(server, {"dataframe_records": [{"seed": 7, "seconds": 1}]})
    assert whole["seconds"] == 1.0
    example = json.loads((written[0] / "serving_input_example.json").read_text())
    assert [row["seconds"] for row in _ask(server, example)] == [4.0]
    with pytest.raises(urllib.error.HTTPError) as refused:
        _ask(server, {"dataframe_records": [ASKED | {"seconds": 61.0}]})
    assert refused.value.code == 400
    assert "seconds=61.0 is not allowed" in json.load(refused.value)["message"]
