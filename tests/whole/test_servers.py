"""Delivery to real MLflow servers that die and come back, and to ones that only misbehave."""

import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import replace
from functools import partial

import pytest

from experiments.torture.servers import MlflowServer, find_postgres, run_failing, run_hanging, run_postgres
from sda.tracking.delivery import deliver, try_to_deliver
from sda.tracking.delivery_state import TrackingSettings, is_delivered, read_state, write_settings, write_state
from sda.tracking.journal import JOURNAL, Journal, read_journal
from sda.tracking.metric_names import name_metric
from sda.tracking.mlflow_callback import MlflowTracking
from sda.training.events import RunEnded
from tests.events import epoch, started, step
from tests.tracking.test_delivery import move_store

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore"),  # MLflow's own imports and its database library warn of themselves
]


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def server(request, tmp_path_factory):
    """A real server on either kind of database; it may be killed and started again."""
    folder = tmp_path_factory.mktemp("server")
    if request.param == "sqlite":
        running = MlflowServer(f"sqlite:///{folder}/server.db", folder / "artifacts")
        running.start()
        yield running
        running.kill()
        return
    if find_postgres() is None:
        pytest.skip("PostgreSQL is not installed")
    with run_postgres(tmp_path_factory.mktemp("postgres")) as store_uri:
        running = MlflowServer(store_uri, folder / "artifacts")
        running.start()
        yield running
        running.kill()


def _settings(uri, name="run"):
    dataset = {"name": "sounds", "digest": "abc", "source": "{}", "profile": "{}"}
    return TrackingSettings(uri, "test", name, {"preset": "auto"}, {"seed": "0"}, dataset, ["manifest.json"])


@pytest.fixture
def run_dir(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "manifest.json").write_text("{}")
    return tmp_path / "run"


def _write(run_dir, *events):
    journal = Journal(run_dir)
    for event in events:
        journal(event)
    journal.close()


def _curve(uri, run_id, key):
    from mlflow import MlflowClient

    return [(point.step, point.value) for point in MlflowClient(tracking_uri=uri).get_metric_history(run_id, key)]


def _expect_the_journal(uri, run_dir, status="FINISHED"):
    """MLflow has exactly what the journal tells, once."""
    from mlflow import MlflowClient

    state = read_state(run_dir)
    for kind, axis, names in (
        ("StepMetrics", "step", ("train_loss", "learning_rate")),
        ("EpochMetrics", "epoch", ("train_loss", "val_loss")),
    ):
        told = [event for event in read_journal(run_dir / JOURNAL) if event["event"] == kind]
        for name in names:
            expected = [(event[axis], event[name]) for event in told]
            assert _curve(uri, state.run_id, name_metric(axis, name, state.naming)) == expected, name
    client = MlflowClient(tracking_uri=uri)
    runs = client.search_runs([state.experiment_id], f"tags.run_dir = '{run_dir}'")
    assert [run.info.status for run in runs] == [status]
    assert [item.path for item in client.list_artifacts(state.run_id)] == ["manifest.json"]


def test_a_server_gets_everything_once_however_often_it_is_told(server, run_dir):
    write_settings(run_dir, _settings(server.uri))
    _write(run_dir, started(), *(step(n) for n in range(1, 1201)), epoch(1), RunEnded("finished", 1, 1200))
    deliver(run_dir)
    _expect_the_journal(server.uri, run_dir)
    delivered = read_state(run_dir)
    # A process that died before it could note what it had sent, at the very start and after every batch.
    for forgotten in (
        replace(delivered, offset=0, last_step=0, last_epoch=0, in_doubt=True),
        replace(delivered, offset=0, last_step=0, last_epoch=0, in_doubt=True, introduced=False),
        replace(delivered, offset=0, last_step=0, last_epoch=0, introduced=False, run_id="", pending=[]),
    ):
        write_state(run_dir, replace(forgotten, in_doubt=True))
        deliver(run_dir)
        assert read_state(run_dir).run_id == delivered.run_id
        _expect_the_journal(server.uri, run_dir)


def test_a_server_that_is_killed_in_mid_run_has_the_whole_journal_in_the_end(server, run_dir):
    tracking = MlflowTracking(run_dir, _settings(server.uri), close_timeout_s=0.5)
    journal = Journal(run_dir)
    for number in range(401):
        event = step(number) if number else started()
        journal(event)
        tracking(event)
        if number == 100:
            _wait_for(lambda: read_state(run_dir).last_step > 0)
            server.kill()
        if number == 300:
            server.start()
        time.sleep(0.005)
    event = RunEnded("finished", 0, 400)
    journal(event)
    tracking(event)
    journal.close()
    tracking.close()
    _wait_for(lambda: not try_to_deliver(run_dir).problem)
    assert is_delivered(run_dir)
    _expect_the_journal(server.uri, run_dir)


def _wait_for(condition, timeout_s=120.0):
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.2)


@pytest.mark.parametrize(
    "misbehave",
    [run_failing, partial(run_failing, delay_s=3.0), run_hanging],
    ids=["answers 500", "answers 500 after a while", "never answers"],
)
def test_a_server_that_misbehaves_holds_nobody_up_and_loses_nothing(run_dir, tmp_path, empty_database, misbehave):
    with misbehave() as uri:
        tracking = MlflowTracking(run_dir, _settings(uri), close_timeout_s=0.2)
        journal = Journal(run_dir)
        events = [started(), *(step(n) for n in range(1, 51)), epoch(1), RunEnded("finished", 1, 50)]
        for event in events:
            journal(event)
            tracking(event)
        journal.close()
        assert tracking.close().problem  # says that something is missing
        assert not is_delivered(run_dir)
    _deliver_elsewhere(run_dir, tmp_path, empty_database)


def _deliver_elsewhere(run_dir, tmp_path, empty_database):
    """The store comes back, here as another address."""
    (tmp_path / "mlflow.db").write_bytes(empty_database.read_bytes())
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    move_store(run_dir, uri)
    _wait_for(lambda: not try_to_deliver(run_dir).problem)
    _expect_the_journal(uri, run_dir)


def test_a_store_that_is_locked_by_others_is_waited_for(run_dir, tmp_path, empty_database):
    database = tmp_path / "mlflow.db"
    database.write_bytes(empty_database.read_bytes())
    uri = f"sqlite:///{database}"
    write_settings(run_dir, _settings(uri))
    _write(run_dir, started(), *(step(n) for n in range(1, 51)), epoch(1))
    deliver(run_dir)
    _write(run_dir, *(step(n) for n in range(51, 101)), RunEnded("finished", 1, 100))
    code = "import sys; from pathlib import Path; from sda.tracking.delivery import try_to_deliver; "
    code += "print(try_to_deliver(Path(sys.argv[1])).problem)"
    with closing(sqlite3.connect(database, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        process = subprocess.Popen([sys.executable, "-c", code, str(run_dir)], stdout=subprocess.PIPE, text=True)
        time.sleep(12.0)  # longer than SQLite itself waits
        other.execute("COMMIT")
    process.communicate(timeout=300)
    _wait_for(lambda: not try_to_deliver(run_dir).problem)
    _expect_the_journal(uri, run_dir)


def test_several_runs_at_once_lose_no_metric(server, tmp_path):
    """Four processes deliver to one server."""
    code = "import sys; from pathlib import Path; from sda.tracking.delivery import deliver; deliver(Path(sys.argv[1]))"
    children = []
    for number in range(4):
        folder = tmp_path / f"run_{number}"
        folder.mkdir()
        (folder / "manifest.json").write_text("{}")
        write_settings(folder, _settings(server.uri, folder.name))
        _write(folder, started(), *(step(n) for n in range(1, 301)), epoch(1), RunEnded("finished", 1, 300))
        children.append((folder, subprocess.Popen([sys.executable, "-c", code, str(folder)])))
    assert [child.wait(timeout=300) for _, child in children] == [0, 0, 0, 0]
    for folder, _ in children:
        _expect_the_journal(server.uri, folder)
