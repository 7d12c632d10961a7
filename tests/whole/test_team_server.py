"""Delivery to a server as a team runs it: PostgreSQL, artifacts in an S3 store, users with passwords, host checks."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
import requests
from sqlalchemy import create_engine, text

from experiments.torture.servers import MlflowServer, find_postgres, run_postgres
from sda.errors import TrackingError
from sda.tracking.delivery import UNKNOWN_USER, deliver, try_to_deliver
from sda.tracking.delivery_state import TrackingSettings, is_delivered, read_state, write_settings
from sda.tracking.journal import Journal
from sda.tracking.registry import ExportedModel, choose_registry, register_model
from sda.training.events import RunEnded
from tests.events import epoch, started, step

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore"),  # MLflow's own imports and its database library warn of themselves
    pytest.mark.skipif(find_postgres() is None, reason="PostgreSQL is not installed"),
]

PUBLIC_NAME = "mlflow.example.org"
"""What clients call the server: a proxy in front of it passes this name on."""
BUCKET = "sounds"
FIRST_PASSWORD = "first-admin-password"
ADMIN = ("admin", "second-admin-password")
ADA = ("ada", "ada-has-a-password")
BEN = ("ben", "ben-has-a-password")
S3_KEYS = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_DEFAULT_REGION": "us-east-1"}
"""The server alone has them."""
N_STEPS = 20


@dataclass
class Team:
    """A running server and the bucket behind it."""

    uri: str
    bucket: Any

    def call(self, method: str, path: str, user: tuple[str, str] | None, **request: Any) -> requests.Response:
        return requests.request(method, f"{self.uri}/api/2.0/mlflow/{path}", auth=user, timeout=30, **request)


@pytest.fixture(scope="module")
def team(tmp_path_factory) -> Iterator[Team]:
    """The server of docs/team-server.md, with two users; the admin's password is no longer the first one."""
    folder = tmp_path_factory.mktemp("team")
    with run_postgres(tmp_path_factory.mktemp("postgres")) as store_uri, _run_s3() as s3_uri:
        engine = create_engine(store_uri, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text("CREATE DATABASE mlflow_auth"))
        engine.dispose()
        bucket = boto3.resource(
            "s3",
            endpoint_url=s3_uri,
            aws_access_key_id=S3_KEYS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=S3_KEYS["AWS_SECRET_ACCESS_KEY"],
            region_name=S3_KEYS["AWS_DEFAULT_REGION"],
        ).create_bucket(Bucket=BUCKET)
        server = _make_server(folder, store_uri, s3_uri)
        try:
            server.start()
            team = Team(server.uri, bucket)
            _create_users(team)
            yield team
        finally:
            server.kill()


def _make_server(folder: Path, store_uri: str, s3_uri: str) -> MlflowServer:
    auth = folder / "auth.ini"
    auth.write_text(
        "[mlflow]\n"
        "default_permission = EDIT\n"
        f"database_uri = {store_uri.rsplit('/', 1)[0]}/mlflow_auth\n"
        "admin_username = admin\n"
        "auth_cache_ttl_seconds = 60\n"
    )
    options = [
        *("--artifacts-destination", f"s3://{BUCKET}/mlflow"),
        *("--app-name", "basic-auth"),
        *("--allowed-hosts", f"{PUBLIC_NAME},127.0.0.1:*"),
        *("--cors-allowed-origins", f"https://{PUBLIC_NAME}"),
    ]
    variables = {
        "MLFLOW_AUTH_CONFIG_PATH": str(auth),
        "MLFLOW_AUTH_ADMIN_PASSWORD": FIRST_PASSWORD,
        "MLFLOW_FLASK_SERVER_SECRET_KEY": "the same in every worker",
        "MLFLOW_S3_ENDPOINT_URL": s3_uri,
    }
    return MlflowServer(store_uri, folder / "artifacts", options, variables | S3_KEYS)


def _create_users(team: Team) -> None:
    admin, first = ADMIN[0], (ADMIN[0], FIRST_PASSWORD)
    change = {"username": admin, "current_password": FIRST_PASSWORD, "password": ADMIN[1]}
    team.call("PATCH", "users/update-password", first, json=change).raise_for_status()
    for name, password in (ADA, BEN):
        user = {"username": name, "password": password}
        team.call("POST", "users/create", ADMIN, json=user).raise_for_status()


@contextmanager
def _run_s3() -> Iterator[str]:
    """An S3 server of moto's; gives its address."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    try:
        yield f"http://{host}:{port}"
    finally:
        server.stop()


@pytest.fixture
def run_dir(tmp_path, team):
    """A finished run whose journal nobody has delivered."""
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "manifest.json").write_text('{"sounds": 18}')
    sounds = {"name": "sounds", "digest": "abc", "source": "{}", "profile": "{}"}
    settings = TrackingSettings(team.uri, "test", "run", {"preset": "auto"}, {"seed": "0"}, sounds, ["manifest.json"])
    write_settings(folder, settings)
    journal = Journal(folder)
    for event in (started(), *(step(n) for n in range(1, N_STEPS + 1)), epoch(1), RunEnded("finished", 1, N_STEPS)):
        journal(event)
    journal.close()
    return folder


@pytest.fixture
def sign_in(monkeypatch):
    """Sets what a client sets, and nothing of S3."""
    for variable in (*S3_KEYS, "MLFLOW_S3_ENDPOINT_URL"):
        monkeypatch.delenv(variable, raising=False)

    def set_user(user):
        monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", user[0])
        monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", user[1])

    return set_user


def _expect_the_run(team, run_dir):
    """The store has every metric once, and the bucket has the file."""
    from mlflow import MlflowClient

    state = read_state(run_dir)
    assert is_delivered(run_dir)
    client = MlflowClient(tracking_uri=team.uri)
    assert client.get_run(state.run_id).info.status == "FINISHED"
    points = client.get_metric_history(state.run_id, "6_steps/train_loss")
    assert [(point.step, point.value) for point in points] == [(n, 0.5) for n in range(1, N_STEPS + 1)]
    assert [point.step for point in client.get_metric_history(state.run_id, "1_loss/val_loss")] == [1]
    objects = {item.key: item for item in team.bucket.objects.filter(Prefix=f"mlflow/{state.experiment_id}")}
    key = f"mlflow/{state.experiment_id}/{state.run_id}/artifacts/manifest.json"
    assert objects[key].get()["Body"].read() == (run_dir / "manifest.json").read_bytes()
    fetched = client.download_artifacts(state.run_id, "manifest.json", str(run_dir))
    assert Path(fetched).read_text() == '{"sounds": 18}'


def test_a_run_is_delivered_by_a_user_who_has_no_keys_of_the_bucket(team, run_dir, sign_in):
    sign_in(ADA)
    deliver(run_dir)
    _expect_the_run(team, run_dir)


def test_a_model_is_registered_by_a_user_who_has_no_keys_of_the_bucket(team, run_dir, sign_in, tmp_path):
    from mlflow import MlflowClient

    sign_in(ADA)
    deliver(run_dir)
    (tmp_path / "out" / "data").mkdir(parents=True)
    files = [tmp_path / "out" / "MLmodel", tmp_path / "out" / "data" / "rain.sda"]
    for path in files:
        path.write_text(path.name)
    exported = ExportedModel(tmp_path / "out", files, 1, {"sda.epoch": "1"}, "It has learned.")
    linked, foreign = choose_registry(run_dir, ""), choose_registry(tmp_path, team.uri)
    assert [register_model(place, "rain", exported).version for place in (linked, foreign)] == [1, 2]
    client = MlflowClient(team.uri, team.uri)
    first, second = (client.get_model_version("rain", str(number)) for number in (1, 2))
    assert (first.run_id, first.tags) == (read_state(run_dir).run_id, {"sda.epoch": "1"})
    assert not second.run_id
    for version in (first, second):
        key = version.source.removeprefix("mlflow-artifacts:/")
        assert team.bucket.Object(f"mlflow/{key}/data/rain.sda").get()["Body"].read() == b"rain.sda"
    sign_in((ADA[0], "not-her-password"))
    with pytest.raises(TrackingError, match=f"^rain was not registered in {team.uri}: {UNKNOWN_USER}"):
        register_model(linked, "rain", exported)


@pytest.mark.parametrize("user", [(ADA[0], "not-her-password"), (ADMIN[0], FIRST_PASSWORD)], ids=["wrong", "changed"])
def test_a_password_that_is_refused_is_told_and_loses_nothing(team, run_dir, sign_in, user):
    sign_in(user)
    for _ in range(2):
        assert try_to_deliver(run_dir).problem == UNKNOWN_USER
    assert not is_delivered(run_dir)
    sign_in(ADA)
    assert try_to_deliver(run_dir).problem == ""
    _expect_the_run(team, run_dir)


def test_nobody_is_told_anything_without_a_password(team):
    assert team.call("GET", "experiments/get?experiment_id=0", None).status_code == 401
    assert requests.get(team.uri, timeout=30).status_code == 401
    assert requests.get(f"{team.uri}/health", timeout=30).text == "OK"


def test_members_write_to_one_experiment_and_only_who_made_it_may_delete_it(team):
    made = team.call("POST", "experiments/create", ADA, json={"name": "of ada"}).json()
    assert team.call("POST", "runs/create", BEN, json=made).status_code == 200
    assert team.call("POST", "experiments/delete", BEN, json=made).status_code == 403
    assert team.call("POST", "experiments/delete", ADA, json=made).status_code == 200


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": PUBLIC_NAME}, 200),
        ({"Host": "elsewhere.example.org"}, 403),
        ({"Origin": f"https://{PUBLIC_NAME}"}, 200),
        ({"Origin": "https://elsewhere.example.org"}, 403),
    ],
    ids=["host", "foreign host", "origin", "foreign origin"],
)
def test_the_server_answers_only_to_its_names(team, headers, status):
    search = {"max_results": 1}
    assert team.call("POST", "experiments/search", ADA, json=search, headers=headers).status_code == status
