"""MLflow's registry in a real store in SQLite: versions that are linked to their run and hold files of their own."""

import json
import shutil
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from experiments.torture.servers import find_free_port, run_hanging
from sda.errors import DamagedError, TrackingError
from sda.seal import mark_own
from sda.tracking.delivery import deliver
from sda.tracking.delivery_state import TrackingSettings, read_state, write_settings
from sda.tracking.journal import Journal
from sda.tracking.registry import ExportedModel, Registry, choose_registry, register_model
from sda.training.events import RunEnded
from tests.events import epoch, started, step

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore"),  # MLflow's own imports and its database library warn of themselves
]

DEFAULT = "sqlite:///mlflow.db"


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    """Where no store lies, with nothing said of one."""
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    for variable in ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI", "MLFLOW_EXPERIMENT_NAME"):
        monkeypatch.delenv(variable, raising=False)


@pytest.fixture
def uri(empty_database, tmp_path) -> str:
    """A store's address."""
    shutil.copy(empty_database, tmp_path / "mlflow.db")
    return f"sqlite:///{tmp_path}/mlflow.db"


@pytest.fixture
def client(uri):
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=uri, registry_uri=uri)


@pytest.fixture
def run_dir(uri, tmp_path) -> Path:
    """A run that has ended, which no store was told of yet."""
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "manifest.json").write_text("{}")
    sounds = {"name": "sounds", "digest": "abc", "source": "{}", "profile": "{}"}
    write_settings(folder, TrackingSettings(uri, "rain's", "run", {}, {}, sounds, ["manifest.json"]))
    journal = Journal(folder)
    for event in (started(), step(1), epoch(1), RunEnded("finished", 1, 1)):
        journal(event)
    journal.close()
    return folder


@pytest.fixture
def exported(tmp_path) -> ExportedModel:
    folder = tmp_path / "out"
    files = [folder / name for name in ("MLmodel", "data/rain.sda", "model_card.md")]
    for path in files:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(path.name)
    return ExportedModel(folder, files, 7, {"sda.epoch": "7", "sda.license": "x" * 6000}, "It has learned.")


def _read_files(version) -> dict[str, str]:
    """What the store holds of a version."""
    folder = Path(unquote(urlsplit(version.source).path))
    return {path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*") if path.is_file()}


def test_a_version_is_linked_to_its_run_and_holds_files_of_its_own(client, uri, run_dir, exported):
    deliver(run_dir)
    registry = choose_registry(run_dir, "")
    assert registry == Registry(uri, "rain's", read_state(run_dir).run_id, [])
    for number in (1, 2):
        assert register_model(registry, 'rain "v1.2"', exported) == ('rain "v1.2"', number, uri, [])
    shutil.rmtree(exported.folder)
    version = client.get_model_version('rain "v1.2"', "1")
    assert (version.status, version.run_id) == ("READY", read_state(run_dir).run_id)
    assert version.tags == {"sda.epoch": "7", "sda.license": "x" * 5000}
    assert version.description == "It has learned."
    expected = {"MLmodel": "MLmodel", "data/rain.sda": "rain.sda", "model_card.md": "model_card.md"}
    assert _read_files(version) == expected
    run = client.get_run(version.run_id)
    ids = [made.model_id for made in run.outputs.model_outputs]
    models = [client.get_logged_model(model_id) for model_id in ids]
    versions = [json.loads(model.tags["mlflow.modelVersions"])[0]["version"] for model in models]
    assert sorted(versions) == [1, 2]
    assert {(model.experiment_id, model.source_run_id, model.status.value) for model in models} == {
        (run.info.experiment_id, version.run_id, "READY")
    }
    assert not list(Path().iterdir()), "another store was made"


@pytest.mark.parametrize("what", ["never told", "gone", "in the bin"])
def test_a_run_that_the_store_does_not_have_is_linked_to_nothing(client, uri, run_dir, exported, what):
    if what != "never told":
        deliver(run_dir)
    registry = choose_registry(run_dir, "")
    assert ["`sda sync` tells it first" in notice for notice in registry.notices] == [True] * (what == "never told")
    if what == "gone":
        registry = registry._replace(run_id="0" * 32)
    elif what == "in the bin":
        client.delete_run(registry.run_id)
        client.delete_experiment(client.get_experiment_by_name("rain's").experiment_id)
    notices = register_model(registry, "rain", exported).notices
    said = {
        "never told": [],
        "gone": [f"{uri} does not know the run: the version is linked to none"],
        "in the bin": [
            f"{uri} does not know the run: the version is linked to none",
            "experiment rain's had been deleted in MLflow and was restored",
        ],
    }
    assert notices == said[what]
    version = client.get_model_version("rain", "1")
    assert not version.run_id
    assert set(_read_files(version)) == {"MLmodel", "data/rain.sda", "model_card.md"}
    assert not list(Path().iterdir()), "another store was made"


def test_the_store_is_the_given_one_else_the_runs_else_the_environments(monkeypatch, uri, run_dir, tmp_path):
    deliver(run_dir)
    run_id, model_file = read_state(run_dir).run_id, tmp_path / "rain.sda"
    model_file.touch()
    default = f"sqlite:///{Path.cwd()}/mlflow.db"
    assert choose_registry(model_file, "") == Registry(default, "sda", "", [])
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://mlflow.example.org")
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "exports")
    assert choose_registry(run_dir, "").uri == uri
    given = choose_registry(run_dir, "http://127.0.0.1:5000")
    assert given[:3] == ("http://127.0.0.1:5000", "exports", run_id)
    named = choose_registry(model_file, "")
    assert named[:3] == ("https://mlflow.example.org", "exports", "")
    assert "MLflow's store is https://mlflow.example.org; MLFLOW_TRACKING_URI names it" in named.notices
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://ada:secret@mlflow.example.org")
    assert choose_registry(model_file, "").uri == default


def test_a_store_that_is_none_or_unknown_is_refused_at_once(run_dir):
    with pytest.raises(TrackingError, match=r"registry_uri=mlruns is not supported: use sqlite:///FILE or http"):
        choose_registry(run_dir, "mlruns")
    mark_own(run_dir)
    with pytest.raises(DamagedError, match=r"tracking\.json is damaged"):
        choose_registry(run_dir, "")


def test_a_store_that_is_away_or_none_is_said_in_a_line(exported, tmp_path):
    (tmp_path / "broken.db").write_text("no database")
    for uri in (f"http://127.0.0.1:{find_free_port()}", f"sqlite:///{tmp_path}/broken.db"):
        with pytest.raises(TrackingError) as refused:
            register_model(Registry(uri, "sda", "", []), "rain", exported)
        (line,) = str(refused.value).splitlines()
        assert line.startswith(f"rain was not registered in {uri}: ")
        assert line.endswith("and give the command again with another output.")


def test_a_server_that_draws_it_out_is_left(exported):
    with run_hanging() as uri, pytest.raises(TrackingError, match=f"in {uri}: it has not ended after 0.5 s. What was"):
        register_model(Registry(uri, "sda", "", []), "rain", exported, deadline_s=0.5)


def test_what_the_store_refuses_leaves_no_model_in_it(client, uri, exported, tmp_path_factory):
    away = tmp_path_factory.mktemp("away")
    elsewhere = client.create_experiment("elsewhere", artifact_location=away.as_uri())
    registry = Registry(uri, "elsewhere", "", [])
    with pytest.raises(TrackingError, match="outside its own folder"):
        register_model(registry, "rain", exported)
    assert not list(client.search_logged_models([elsewhere]))
    assert not list(client.search_model_versions("name = 'rain'"))
    assert not list(away.iterdir())
    with pytest.raises(TrackingError, match="Invalid model name 'a/b'"):
        register_model(registry, "a/b", exported)


def test_a_prompts_name_is_taken(client, uri, exported):
    client.register_prompt("rain", "Rain, please.")
    with pytest.raises(TrackingError, match="already taken by a prompt"):
        register_model(Registry(uri, "sda", "", []), "rain", exported)
