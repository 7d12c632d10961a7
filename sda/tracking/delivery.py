"""Delivery: MLflow is told what it does not have yet of a run.

`events.jsonl` is read from where a delivery last got to, and that place is noted in `tracking_state.json`. `mlflow`
itself (seconds to import) is imported only then.
"""

import secrets
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from sda.errors import TrackingError
from sda.tracking.artifacts import find_file, locate, open_place
from sda.tracking.deadline import DEADLINE_S, answer_in_time
from sda.tracking.delivery_state import (
    DeliveryState,
    TrackingSettings,
    delivering,
    is_delivered,
    read_settings,
    read_state,
    write_state,
)
from sda.tracking.journal import JOURNAL, read_lines
from sda.tracking.metric_names import OF_EPOCH, name_metric
from sda.tracking.mlflow_mapping import STEP_METRICS, Batch, Delivered, collect
from sda.tracking.preview_names import name_artifact
from sda.tracking.recovery import recover_experiment, recover_run
from sda.tracking.store import connect, find_experiment
from sda.tracking.sweep_parent import SweepNews, find_sweep, tell_sweep, update_sweep

if TYPE_CHECKING:
    from mlflow import MlflowClient

KEY_TAG = "delivery_key"
"""Tag that holds `DeliveryState.key`."""
BATCH_METRICS = 1000
"""Most metrics that MLflow takes in one call."""
BATCH_PARAMS = 100
UNKNOWN_USER = "HTTP 401, the server does not know this user: set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD"
_REFUSED = {
    401: UNKNOWN_USER,
    403: "HTTP 403, the server does not let this user write there: ask whoever runs it for the permission",
}
"""What a server refuses until somebody does something, by its code."""
LATER = "once the store answers"


class Delivery(NamedTuple):
    """How a delivery went."""

    problem: str
    """Why MLflow does not have all of it; empty where it does."""
    notices: list[str]
    """What had to be done beside, in words."""
    until: str = ""
    """When it can be delivered after all, in words; empty where it never can."""


def try_to_deliver(run_dir: Path) -> Delivery:
    """`deliver`, with what went wrong as words: whatever the store does, the journal still has it all."""
    try:
        return Delivery("", deliver(run_dir))
    except Exception as error:
        return describe_failure(error)


def deliver_in_time(run_dir: Path, deadline_s: float = DEADLINE_S) -> Delivery:
    """`try_to_deliver` for a command that waits for it: a server that draws it out is left after a deadline."""
    late = Delivery(f"still delivering after {deadline_s:g} s", [], LATER)
    return answer_in_time(lambda: try_to_deliver(run_dir), late, deadline_s)


def describe_failure(error: Exception) -> Delivery:
    """What went wrong in a line; of what a server refuses, MLflow says only where its manual is."""
    text = (str(error).splitlines() or [""])[0]
    if isinstance(error, TrackingError):
        return Delivery(text, [])
    refused = next((words for code, words in _REFUSED.items() if f"error code {code}" in text), "")
    if refused:
        return Delivery(refused, [], "then")
    return Delivery(f"{type(error).__name__}: {text.rstrip('.')}", [], LATER)


def deliver(run_dir: Path) -> list[str]:
    """Bring MLflow up to date with a run's journal; calling it again delivers only what is new.

    A run that was deleted in MLflow is restored, and one that is gone from it for good is told anew.

    Returns:
        what had to be done beside, in words.

    Raises:
        TrackingError: the run was not begun here, or the store would have files written where none belong.
        mlflow.exceptions.MlflowException, OSError: the store is away; nothing is lost.
    """
    settings = read_settings(run_dir)
    client = connect(settings.uri)
    with delivering(run_dir):
        state, journal = read_state(run_dir), run_dir / JOURNAL
        if state.introduced and (not journal.exists() or is_delivered(run_dir)):
            return []
        notices = []
        if state.run_id:
            recovered = recover_run(client, state.run_id)
            if recovered is None:
                recovered = [f"run {state.run_id} is gone from MLflow: it is told anew, as another run"]
                state = DeliveryState()
            notices += recovered
        if not state.introduced:
            notices += _introduce(client, run_dir, settings, state)
        if journal.exists():
            status_changed = _deliver_journal(client, run_dir, settings, state)
            if settings.sweep_dir and status_changed:
                update_sweep(client, Path(settings.sweep_dir))
        _deliver_files(client, run_dir, settings, state)
    return notices


def _deliver_journal(client: "MlflowClient", run_dir: Path, settings: TrackingSettings, state: DeliveryState) -> bool:
    """Deliver what the journal holds beyond what was delivered; says whether the run's status changed."""
    is_doubtful, status_changed = state.in_doubt, False
    delivered = _ask_what_is_there(client, state) if is_doubtful else Delivered()
    while (batch := _deliver_batch(client, run_dir, settings, state, delivered)) is not None:
        status_changed |= bool(batch.status)
    if is_doubtful:
        state.in_doubt = False  # only now: what lies before the end of the journal may all have been there
        write_state(run_dir, state)
    return status_changed


def try_to_tell_sweep(folder: Path, settings: TrackingSettings, news: SweepNews) -> str:
    """`tell_sweep`, with what went wrong as words."""
    try:
        tell_sweep(connect(settings.uri), settings.uri, folder, news)
    except Exception as error:
        return describe_failure(error).problem
    return ""


def _ask_what_is_there(client: "MlflowClient", state: DeliveryState) -> Delivered:
    """The steps and epochs that MLflow has: the first metric of each stands for all, which are sent in one call."""

    def list_points(key: str) -> set[tuple[int, float]]:
        return {(point.step, point.value) for point in client.get_metric_history(state.run_id, key)}

    firsts = {"step": STEP_METRICS[0], "epoch": next(iter(OF_EPOCH))}
    keys = (name_metric(event, name, state.naming) for event, name in firsts.items())
    steps, epochs = (frozenset(step for step, _ in list_points(key)) for key in keys)
    return Delivered(steps, epochs, list_points)


def _deliver_batch(
    client: "MlflowClient", run_dir: Path, settings: TrackingSettings, state: DeliveryState, delivered: Delivered
) -> Batch | None:
    """Deliver at most one call's worth of events and remember it; nothing when the journal holds no more."""
    from mlflow.entities import Metric, RunTag

    batch = Batch()
    reached, before = state.offset, replace(state, told=dict(state.told))
    for values, offset in read_lines(run_dir / JOURNAL, state.offset):
        if values is not None:
            collect(values, batch, state, delivered, settings.objective)
        reached = offset
        if len(batch.metrics) > BATCH_METRICS - 2 * len(OF_EPOCH) or batch.status:
            break
    if reached == state.offset:
        return None
    tags = [RunTag(key, value[:5000]) for key, value in batch.tags.items()]
    write_state(run_dir, replace(before, in_doubt=True))
    client.log_batch(state.run_id, metrics=[Metric(*point) for point in batch.metrics], tags=tags)
    state.pending += [(found, folder) for path, folder in batch.artifacts if (found := locate(run_dir, path))]
    if batch.status == "RUNNING":
        client.update_run(state.run_id, status="RUNNING")
    elif batch.status:
        state.pending += [(name, "") for name in ("history.json", "summary.json")]
        client.set_terminated(state.run_id, batch.status)
    state.offset = reached
    write_state(run_dir, state)
    return batch


def _deliver_files(client: "MlflowClient", run_dir: Path, settings: TrackingSettings, state: DeliveryState) -> None:
    """Deliver the files that are due; one that the store refuses keeps no metric and no status from it.

    Raises:
        TrackingError: the store would have them written where none belong.
    """
    if not state.pending:
        return
    send = open_place(client.get_run(state.run_id).info.artifact_uri, settings.uri)
    while state.pending:
        relative, folder = state.pending[0]
        path = find_file(run_dir, relative)
        if path is not None:
            send(path, folder, name_artifact(relative, state.naming))
        del state.pending[0]
        write_state(run_dir, state)


def _introduce(client: "MlflowClient", run_dir: Path, settings: TrackingSettings, state: DeliveryState) -> list[str]:
    """Create the MLflow run and tell it what never changes; says what had to be done beside."""
    from mlflow.entities import Dataset, DatasetInput, Param
    from mlflow.exceptions import MlflowException

    notices: list[str] = []
    if not state.run_id:
        state.experiment_id = find_experiment(client, settings.uri, settings.experiment)
        notices += recover_experiment(client, state.experiment_id)
        found = _find_run(client, state)
        if found:
            state.run_id = found
        else:
            state.key = secrets.token_hex(8)
            write_state(run_dir, state)
            tags = {**settings.tags, "run_dir": str(run_dir), KEY_TAG: state.key}
            if settings.sweep_dir:
                tags["mlflow.parentRunId"] = find_sweep(client, settings, state.experiment_id)
            state.run_id = client.create_run(state.experiment_id, tags=tags, run_name=settings.run_name).info.run_id
        write_state(run_dir, state)
    params = [Param(key, value[:6000]) for key, value in settings.params.items()]
    for first in range(0, len(params), BATCH_PARAMS):
        client.log_batch(state.run_id, params=params[first : first + BATCH_PARAMS])
    sounds = Dataset(source_type="local", **settings.dataset)
    inputs = [DatasetInput(sounds)]
    try:
        client.log_inputs(state.run_id, datasets=inputs)
    except MlflowException:  # another run noted the same sounds at this moment, and two cannot: now they are there
        client.log_inputs(state.run_id, datasets=inputs)
    state.pending += [(name, "") for name in settings.artifacts]
    state.introduced = True
    write_state(run_dir, state)
    return notices


def _find_run(client: "MlflowClient", state: DeliveryState) -> str:
    """The run that a process created and died before it could note it; empty where there is none."""
    if not state.key:
        return ""
    runs = client.search_runs([state.experiment_id], f"tags.{KEY_TAG} = '{state.key}'", max_results=1)
    return str(runs[0].info.run_id) if runs else ""
