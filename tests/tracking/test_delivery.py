"""Delivery to a real MLflow store in SQLite."""

import shutil
import threading
from dataclasses import asdict, replace

import pytest

from sda.errors import TrackingError
from sda.seal import name_purpose, write_sealed
from sda.tracking.delivery import deliver
from sda.tracking.delivery_state import (
    DeliveryState,
    TrackingSettings,
    is_delivered,
    link_to_run,
    read_settings,
    read_state,
    resolve_uri,
    rewind,
    write_settings,
    write_state,
)
from sda.tracking.journal import Journal
from sda.tracking.metric_names import FORMER_NAMING
from sda.tracking.mlflow_callback import MlflowTracking
from sda.training.events import Evaluated, PreviewEvent, ReconstructionScored, RunEnded, Warned
from sda.training.metrics import MetricsHistory
from tests.events import complete, epoch, started, step

pytestmark = [
    pytest.mark.slow,
    # MLflow's own imports and its database library warn of themselves.
    pytest.mark.filterwarnings("ignore"),
]


@pytest.fixture
def store(empty_database, tmp_path):
    shutil.copy(empty_database, tmp_path / "mlflow.db")
    return tmp_path


def _make_run(folder, store, name="run", **settings):
    run_dir = folder / name
    run_dir.mkdir(parents=True)
    (run_dir / "manifest.json").write_text("{}")
    values = {
        "uri": f"sqlite:///{store}/mlflow.db",
        "experiment": "test",
        "run_name": name,
        "tags": {"preset": "conservative"},
        "params": {f"section.key_{index}": "x" * 7000 for index in range(120)},
        "dataset": {"name": "sounds", "digest": "abc", "source": "{}", "profile": "{}"},
        "artifacts": ["manifest.json"],
    }
    write_settings(run_dir, TrackingSettings(**(values | settings)))
    return run_dir


def move_store(run_dir, uri):
    """Let a run of ours be delivered to another address."""
    settings = replace(read_settings(run_dir), uri=uri)
    (run_dir / "tracking.json").unlink()
    write_settings(run_dir, settings)


def _client(store):
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=f"sqlite:///{store}/mlflow.db")


def _write(run_dir, *events):
    journal = Journal(run_dir)
    for event in events:
        journal(event)
    journal.close()


def _curve(store, run_id, key):
    return [(point.step, point.value) for point in _client(store).get_metric_history(run_id, key)]


def test_everything_in_the_journal_reaches_the_store(store, tmp_path):
    run_dir = _make_run(tmp_path, store)
    audio = run_dir / "previews" / "epoch_0001" / "sample_1.wav"
    audio.parent.mkdir(parents=True)
    audio.write_bytes(b"RIFF")
    score = ReconstructionScored(4, "model", {"log_mel_l1_db": 5.0, "mr_stft": 1.5, "loudness_error_db": 3.0}, 8)
    _write(
        run_dir, started(), *(step(n) for n in range(1, 301)), epoch(1), epoch(2), PreviewEvent(1, str(audio), 48000),
        Warned("overfitting", "told"), score, complete(), RunEnded("finished", 4, 8),
    )  # fmt: skip
    deliver(run_dir)
    assert is_delivered(run_dir)
    run_id = read_state(run_dir).run_id
    run = _client(store).get_run(run_id)
    assert run.info.status == "FINISHED"
    assert len(run.data.params) == 120
    assert run.data.tags["preset"] == "conservative"
    assert run.data.tags["warning.overfitting"] == "told"
    assert run.data.metrics["2_held_out/log_mel_l1_db"] == 5.0
    assert run.data.metrics["2_held_out/best_val_loss"] == 0.4
    assert _curve(store, run_id, "6_steps/train_loss") == [(n, 0.5) for n in range(1, 301)]
    assert _curve(store, run_id, "1_loss/val_loss") == [(1, 0.4), (2, 0.4)]
    assert run.inputs.dataset_inputs[0].dataset.digest == "abc"
    names = {item.path for item in _client(store).list_artifacts(run_id)}
    assert {"manifest.json", "previews"} <= names
    assert next(store.rglob("artifacts/previews/epoch_0001/sample_01.wav")).read_bytes() == b"RIFF"
    experiment = _client(store).get_experiment(run.info.experiment_id)
    assert experiment.artifact_location.endswith("/mlartifacts/test")
    assert link_to_run(run_dir).endswith(f"{run_id}?workflowType=machine_learning")


def test_delivering_again_changes_nothing(store, tmp_path):
    run_dir = _make_run(tmp_path, store)
    _write(run_dir, started(), step(1), epoch(1))
    for _ in range(3):
        deliver(run_dir)
    run_id = read_state(run_dir).run_id
    assert _curve(store, run_id, "6_steps/train_loss") == [(1, 0.5)]
    assert len(_client(store).search_runs([read_state(run_dir).experiment_id], f"tags.run_dir = '{run_dir}'")) == 1


def test_a_continued_run_is_one_unbroken_curve(store, tmp_path):
    run_dir = _make_run(tmp_path, store)
    _write(run_dir, started(), *(step(n) for n in range(1, 6)), epoch(1), RunEnded("stopped", 1, 5))
    deliver(run_dir)
    run_id = read_state(run_dir).run_id
    assert _client(store).get_run(run_id).info.status == "KILLED"
    rewind(run_dir, 3, 1, MetricsHistory())  # the newest checkpoint is two steps back
    _write(run_dir, started(start_step=3), *(step(n) for n in range(4, 9)), epoch(2))
    deliver(run_dir)
    assert read_state(run_dir).run_id == run_id
    assert _client(store).get_run(run_id).info.status == "RUNNING"
    assert [point[0] for point in _curve(store, run_id, "6_steps/train_loss")] == list(range(1, 9))
    assert [point[0] for point in _curve(store, run_id, "1_loss/val_loss")] == [1, 2]


@pytest.mark.parametrize(("status", "shown"), [("failed", "FAILED"), ("stopped", "KILLED"), ("killed", "KILLED")])
def test_the_end_is_shown_as_it_was(store, tmp_path, status, shown):
    run_dir = _make_run(tmp_path, store)
    _write(run_dir, started(), RunEnded(status, 0, 0, "DataError: why"))
    deliver(run_dir)
    run = _client(store).get_run(read_state(run_dir).run_id)
    assert (run.info.status, run.data.tags["reason"]) == (shown, "DataError: why")


def test_the_thread_delivers_and_close_waits_for_it(store, tmp_path):
    run_dir = _make_run(tmp_path, store)
    tracking = MlflowTracking(run_dir, read_settings(run_dir), close_timeout_s=60)
    journal = Journal(run_dir)
    for event in (started(), step(1), epoch(1), RunEnded("finished", 1, 1)):
        journal(event)
        tracking(event)
    journal.close()
    assert tracking.close().problem == ""
    assert is_delivered(run_dir)
    assert not any(thread.name == "mlflow-delivery" for thread in threading.enumerate())


def test_a_store_that_is_away_loses_nothing(store, tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    run_dir = _make_run(tmp_path, store, uri="http://127.0.0.1:9")
    tracking = MlflowTracking(run_dir, read_settings(run_dir), close_timeout_s=60)
    journal = Journal(run_dir)
    for event in (started(), step(1), RunEnded("finished", 0, 1)):
        journal(event)
        tracking(event)
    journal.close()
    assert "Exception" in tracking.close().problem
    assert not is_delivered(run_dir)
    # The store comes back, here as another address.
    move_store(run_dir, f"sqlite:///{store}/mlflow.db")
    deliver(run_dir)
    assert _curve(store, read_state(run_dir).run_id, "6_steps/train_loss") == [(1, 0.5)]


def test_a_sweep_is_one_parent_with_a_child_a_job(store, tmp_path):
    sweep = tmp_path / "runs" / "sweep"
    parents, statuses = set(), []
    for number, end in enumerate(("finished", "failed", "finished")):
        run_dir = _make_run(sweep, store, name=str(number), sweep_dir=str(sweep))
        _write(run_dir, started())
        deliver(run_dir)
        parent = _client(store).get_run(read_state(run_dir).run_id).data.tags["mlflow.parentRunId"]
        parents.add(parent)
        statuses.append(_client(store).get_run(parent).info.status)
        _write(run_dir, RunEnded(end, 1, 1))
        deliver(run_dir)
        statuses.append(_client(store).get_run(parent).info.status)
    assert len(parents) == 1
    assert statuses == ["RUNNING", "FINISHED", "RUNNING", "FAILED", "RUNNING", "FAILED"]


def test_several_processes_meet_a_store_that_is_not_there_yet(tmp_path):
    import subprocess
    import sys

    runs = [_make_run(tmp_path, tmp_path, name=f"run_{number}") for number in range(3)]
    code = "import sys; from pathlib import Path; from sda.tracking.delivery import deliver; deliver(Path(sys.argv[1]))"
    children = []
    for run_dir in runs:
        _write(run_dir, started(), step(1))
        children.append(subprocess.Popen([sys.executable, "-c", code, str(run_dir)]))
    assert [child.wait(timeout=300) for child in children] == [0, 0, 0]
    assert len({read_state(run_dir).experiment_id for run_dir in runs}) == 1


def test_two_runs_that_note_the_same_sounds_at_one_moment_are_both_delivered(store, tmp_path, monkeypatch):
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

    log_inputs, refused = MlflowClient.log_inputs, []

    def meet_another(self, *args, **named):
        if not refused:
            refused.append(args)
            raise MlflowException("UNIQUE constraint failed: datasets.experiment_id")
        return log_inputs(self, *args, **named)

    run_dir = _make_run(tmp_path, store)
    _write(run_dir, started(), step(1))
    monkeypatch.setattr(MlflowClient, "log_inputs", meet_another)
    deliver(run_dir)
    run = _client(store).get_run(read_state(run_dir).run_id)
    assert refused
    assert [one.dataset.digest for one in run.inputs.dataset_inputs] == ["abc"]


def test_a_file_that_the_store_refuses_keeps_nothing_else_from_it(store, tmp_path, monkeypatch):
    from mlflow.store.artifact.local_artifact_repo import LocalArtifactRepository

    def refuse(self, *args):
        raise OSError("read-only artifact store")

    run_dir = _make_run(tmp_path, store)
    _write(run_dir, started(), step(1), RunEnded("finished", 1, 1))
    with monkeypatch.context() as patch:
        patch.setattr(LocalArtifactRepository, "log_artifact", refuse)
        with pytest.raises(OSError, match="read-only"):
            deliver(run_dir)
    run_id = read_state(run_dir).run_id
    assert _client(store).get_run(run_id).info.status == "FINISHED"
    assert _curve(store, run_id, "6_steps/train_loss") == [(1, 0.5)]
    assert not is_delivered(run_dir)
    deliver(run_dir)
    assert is_delivered(run_dir)
    assert [item.path for item in _client(store).list_artifacts(run_id)] == ["manifest.json"]


@pytest.mark.parametrize("uri", ["postgresql://x", "file:///tmp", "mlruns"])
def test_a_store_that_is_not_supported_is_refused(uri):
    with pytest.raises(TrackingError, match="use sqlite:///FILE or http"):
        resolve_uri(uri)


def test_an_address_means_the_same_from_every_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert resolve_uri("sqlite:///mlflow.db") == f"sqlite:///{tmp_path}/mlflow.db"
    assert resolve_uri("https://team.example/mlflow") == "https://team.example/mlflow"


def _end(store, tmp_path):
    """A run whose end was delivered, but that died before it could be noted as finished."""
    run_dir = _make_run(tmp_path, store)
    score = ReconstructionScored(1, "model", {"log_mel_l1_db": 5.0, "mr_stft": 1.5, "loudness_error_db": 3.0}, 8)
    _write(run_dir, started(), step(1), epoch(1), complete(1), score)
    return run_dir, score


@pytest.mark.parametrize("is_noted", [True, False])
def test_an_end_that_is_told_again_is_delivered_once(store, tmp_path, is_noted):
    """The state is that of before the last batch where the process died between sending it and noting it."""
    run_dir, score = _end(store, tmp_path)
    before = None
    if not is_noted:
        cut = (run_dir / "events.jsonl").read_bytes().splitlines(keepends=True)
        (run_dir / "events.jsonl").write_bytes(b"".join(cut[:3]))
        deliver(run_dir)
        before = replace(read_state(run_dir), in_doubt=True)
        (run_dir / "events.jsonl").write_bytes(b"".join(cut))
    deliver(run_dir)
    if before is not None:
        write_state(run_dir, before)
    rewind(run_dir, 1, 1, MetricsHistory([step(1)], [epoch(1)]))
    _write(run_dir, replace(complete(1), total_time_s=9.0), replace(score), RunEnded("finished", 1, 1))
    deliver(run_dir)
    run_id = read_state(run_dir).run_id
    scores = [f"2_held_out/{name}" for name in (*score.measures, "best_val_loss")]
    keys = [*scores, "5_training/best_epoch", "system/total_time_s"]
    assert {key: len(_curve(store, run_id, key)) for key in keys} == dict.fromkeys(keys, 1)


def test_a_run_that_began_under_former_names_goes_on_under_them_alone(store, tmp_path):
    run_dir = _make_run(tmp_path, store)
    values = {key: value for key, value in asdict(DeliveryState()).items() if key != "naming"}
    write_sealed(run_dir / "tracking_state.json", name_purpose("tracking_state.json", run_dir), values)
    _write(run_dir, started(), step(1), step(2), epoch(1))
    deliver(run_dir)
    rewind(run_dir, 2, 1, MetricsHistory([step(1), step(2)], [epoch(1)]))  # it is resumed
    score = ReconstructionScored(2, "model", {"log_mel_l1_db": 5.0}, 8)
    judged = Evaluated(2, "small", "learned", {"form.distance": 0.1, "form.distance_low": 0.0}, "/e.json", "/r.html")
    _write(run_dir, step(3), step(4), epoch(2), score, judged, complete(2), RunEnded("finished", 2, 4))
    deliver(run_dir)
    run_id = read_state(run_dir).run_id
    assert [at for at, _ in _curve(store, run_id, "step/train_loss")] == [1, 2, 3, 4]
    assert [at for at, _ in _curve(store, run_id, "epoch/val_loss")] == [1, 2]
    told = _client(store).get_run(run_id).data.metrics
    assert {key.split("/")[0] for key in told} == {"step", "epoch", "heldout.model", "evaluation", "final"}
    assert "evaluation/form.distance_low" in told, "as before: a curve of it is there already"


def test_a_run_that_is_told_anew_is_told_under_the_names_of_today(store, empty_database, tmp_path):
    run_dir = _make_run(tmp_path, store)
    write_state(run_dir, DeliveryState(naming=FORMER_NAMING))
    _write(run_dir, started(), step(1), epoch(1))
    deliver(run_dir)
    (tmp_path / "new").mkdir()
    shutil.copy(empty_database, tmp_path / "new" / "mlflow.db")
    move_store(run_dir, f"sqlite:///{tmp_path}/new/mlflow.db")
    _write(run_dir, step(2), epoch(2))
    assert "told anew" in deliver(run_dir)[0]
    run_id = read_state(run_dir).run_id
    assert [at for at, _ in _curve(tmp_path / "new", run_id, "1_loss/val_loss")] == [1, 2]
    told = _client(tmp_path / "new").get_run(run_id).data.metrics
    assert not [key for key in told if key.startswith(("step/", "epoch/"))]


def test_a_whole_journal_that_is_told_again_is_delivered_once_whenever_it_dies(store, tmp_path, monkeypatch):
    run_dir = _make_run(tmp_path, store)
    monkeypatch.setattr("sda.tracking.delivery.BATCH_METRICS", 60)  # several batches
    _write(run_dir, started(), *(step(n) for n in range(1, 31)), epoch(1))
    deliver(run_dir)
    rewind(run_dir, 0, 0, MetricsHistory())
    lines = (run_dir / "events.jsonl").read_bytes()
    (run_dir / "events.jsonl").write_bytes(lines.replace(b"0.5", b"0.6", 1))  # damaged: all of it is told again
    assert rewind(run_dir, 30, 1, MetricsHistory([step(n) for n in range(1, 31)], [epoch(1)])) > 0
    from sda.tracking import delivery

    sent = []

    def die(*arguments):
        if len(sent) == 2:
            raise KeyboardInterrupt
        sent.append(arguments)
        return genuine(*arguments)

    genuine = delivery._deliver_batch
    with monkeypatch.context() as patch:
        patch.setattr(delivery, "_deliver_batch", die)
        with pytest.raises(KeyboardInterrupt):
            deliver(run_dir)
    deliver(run_dir)
    assert [at for at, _ in _curve(store, read_state(run_dir).run_id, "6_steps/train_loss")] == list(range(1, 31))


@pytest.mark.parametrize("deleted", ["run", "experiment"])
def test_what_was_deleted_in_mlflow_is_restored_and_said(store, tmp_path, deleted):
    run_dir = _make_run(tmp_path, store)
    _write(run_dir, started(), step(1))
    deliver(run_dir)
    state, client = read_state(run_dir), _client(store)
    client.delete_run(state.run_id) if deleted == "run" else client.delete_experiment(state.experiment_id)
    _write(run_dir, step(2), RunEnded("finished", 1, 2))
    notices = deliver(run_dir)
    assert any(f"{deleted} " in notice and "restored" in notice for notice in notices)
    assert [at for at, _ in _curve(store, state.run_id, "6_steps/train_loss")] == [1, 2]
    run = _client(store).get_run(state.run_id).info
    assert (run.lifecycle_stage, run.status) == ("active", "FINISHED")
    assert deliver(run_dir) == []


def test_a_new_run_of_a_deleted_experiment_brings_it_back(store, tmp_path):
    first, second = (_make_run(tmp_path, store, name=name) for name in ("first", "second"))
    _write(first, started())
    deliver(first)
    _client(store).delete_experiment(read_state(first).experiment_id)
    _write(second, started(), step(1))
    assert "restored" in " ".join(deliver(second))
    assert _curve(store, read_state(second).run_id, "6_steps/train_loss") == [(1, 0.5)]


def test_a_run_that_is_gone_for_good_is_told_anew(store, empty_database, tmp_path):
    run_dir = _make_run(tmp_path, store)
    _write(run_dir, started(), step(1))
    deliver(run_dir)
    before = read_state(run_dir).run_id
    (tmp_path / "new").mkdir()
    shutil.copy(empty_database, tmp_path / "new" / "mlflow.db")
    move_store(run_dir, f"sqlite:///{tmp_path}/new/mlflow.db")
    _write(run_dir, step(2))
    (notice,) = deliver(run_dir)
    assert before in notice
    assert "told anew" in notice
    assert [at for at, _ in _curve(tmp_path / "new", read_state(run_dir).run_id, "6_steps/train_loss")] == [1, 2]


def test_a_sweeps_parent_that_was_deleted_is_restored(store, tmp_path):
    sweep = tmp_path / "runs" / "sweep"
    first, second = (_make_run(sweep, store, name=name, sweep_dir=str(sweep)) for name in ("0", "1"))
    _write(first, started())
    deliver(first)
    parent = _client(store).get_run(read_state(first).run_id).data.tags["mlflow.parentRunId"]
    _client(store).delete_run(parent)
    _write(second, started(), RunEnded("finished", 1, 1))
    deliver(second)
    assert _client(store).get_run(parent).info.lifecycle_stage == "active"
    assert _client(store).get_run(read_state(second).run_id).data.tags["mlflow.parentRunId"] == parent


def test_only_files_of_the_run_go_to_the_store(store, tmp_path):
    run_dir = _make_run(tmp_path, store)
    outside, inside = tmp_path / "outside.wav", run_dir / "previews" / "epoch_0001" / "sample_1.wav"
    inside.parent.mkdir(parents=True)
    for path in (outside, inside):
        path.write_bytes(b"RIFF")
    link = inside.with_name("sample_2.wav")
    link.symlink_to(outside)
    paths = [outside, inside, link, run_dir / ".." / "outside.wav"]
    _write(run_dir, started(), *(PreviewEvent(1, str(path), 48000) for path in paths))
    deliver(run_dir)
    write_state(run_dir, replace(read_state(run_dir), pending=[("../outside.wav", ""), (str(outside), "")]))
    deliver(run_dir)
    names = {path.name for path in (store / "mlartifacts").rglob("*") if path.is_file()}
    assert names == {"manifest.json", "sample_01.wav"}


def test_a_store_that_keeps_files_elsewhere_is_refused_and_told(store, tmp_path):
    target = tmp_path.parent / f"{tmp_path.name}-elsewhere"
    _client(store).create_experiment("test", artifact_location=target.as_uri())
    run_dir = _make_run(tmp_path, store)
    _write(run_dir, started(), step(1), RunEnded("finished", 1, 1))
    with pytest.raises(TrackingError, match="outside its own folder"):
        deliver(run_dir)
    assert not target.exists()
    assert _curve(store, read_state(run_dir).run_id, "6_steps/train_loss") == [(1, 0.5)]


def test_what_was_looked_at_is_where_files_go(store, tmp_path, monkeypatch):
    """A server could answer otherwise when it is asked again, and for a sweep's parent."""
    from mlflow import MlflowClient

    from sda.tracking.delivery import try_to_tell_sweep
    from sda.tracking.sweep_parent import SweepNews

    target = tmp_path.parent / f"{tmp_path.name}-elsewhere"
    target.mkdir()
    sweep = tmp_path / "runs" / "sweep"
    run_dir = _make_run(sweep, store, sweep_dir=str(sweep))
    _write(run_dir, started(), RunEnded("finished", 1, 1))
    genuine, asked = MlflowClient.get_run, []

    def answer(self, run_id):
        run = genuine(self, run_id)
        asked.append(run_id)
        if asked.count(run_id) > 2:
            run.info._artifact_uri = target.as_uri()
        return run

    with monkeypatch.context() as patch:
        patch.setattr(MlflowClient, "get_run", answer)
        deliver(run_dir)
        page = tmp_path / "comparison.html"
        page.touch()
        for _ in range(3):
            problem = try_to_tell_sweep(sweep, read_settings(run_dir), SweepNews("sweep", {}, "", {}, [page]))
    assert "outside its own folder" in problem
    assert not list(target.iterdir())
