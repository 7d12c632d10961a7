"""MLflow's registry: an exported model put into a store, as the next version of a name there.

The store keeps files of its own, as a model of the experiment, so that a version stays whole when the export is moved.
"""

import json
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from sda.config.environment import choose_experiment, choose_uri, describe_environment
from sda.errors import TrackingError
from sda.shell import name_command
from sda.tracking.artifacts import open_place
from sda.tracking.deadline import DEADLINE_S, answer_in_time
from sda.tracking.delivery import describe_failure
from sda.tracking.delivery_state import read_settings, read_state, resolve_uri
from sda.tracking.recovery import find_run, recover_experiment
from sda.tracking.store import connect, find_experiment

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import LoggedModel, Run

LONGEST_TEXT = 5000
"""Characters of a tag or a description."""
TAKEN = "RESOURCE_ALREADY_EXISTS"
"""MLflow's code for a name that there is."""
VERSIONS_TAG = "mlflow.modelVersions"
"""Tag by which MLflow's pages find what is registered of a model; a server sets it itself."""
_NOT_IN_NAMES = re.compile(r"[/:.%\"']")
"""What MLflow does not take in the name of an experiment's model, though it does in a registered one."""


class Registry(NamedTuple):
    """Where a model is to be registered."""

    uri: str
    """The store, as `resolve_uri` gives it."""
    experiment: str
    """In which it keeps the model's files, where it does not know the run."""
    run_id: str
    """MLflow's id of the run that the model is of; empty where it was never told of one."""
    notices: list[str]
    """What the environment decides of it, and what is not known there yet, in words."""


class ExportedModel(NamedTuple):
    """A model's folder as MLflow loads it, and what is said of it."""

    folder: Path
    files: Sequence[Path]
    """All that belongs to it, in the folder."""
    epoch: int
    """That it is of."""
    tags: Mapping[str, str]
    description: str


class Registered(NamedTuple):
    """What a model was registered as."""

    name: str
    version: int
    uri: str
    notices: list[str]
    """What had to be done beside, or could not be, in words."""


def choose_registry(run_dir: Path, given: str) -> Registry:
    """The store that is given, else the run's own, else the environment's, else the default.

    Args:
        run_dir: a run's folder, or a model file.
        given: the store's address; empty for none.

    Raises:
        TrackingError: models cannot be sent to such a store.
        DamagedError: what the run's folder says of its store is damaged.
    """
    try:
        settings, run_id = read_settings(run_dir), read_state(run_dir).run_id
    except TrackingError:  # begun elsewhere, or without a tracker
        settings, run_id = None, ""
    if given:
        uri = resolve_uri(given, "registry_uri")
    else:
        uri = resolve_uri(choose_uri()) if settings is None else settings.uri
    if settings is not None and settings.uri == uri:
        sync = f"MLflow does not know the run yet, to link the version to it: `{name_command('sync')}` tells it first"
        return Registry(uri, settings.experiment, run_id, [] if run_id else [sync])
    experiment = choose_experiment()
    notices = describe_environment(uri, experiment, is_uri_left=not given, is_experiment_left=True)
    return Registry(uri, experiment, run_id, notices)


def register_model(
    registry: Registry, name: str, exported: ExportedModel, deadline_s: float = DEADLINE_S
) -> Registered:
    """Put a model into the store and register it as the next version of a name, linked to the run that it is of.

    Raises:
        TrackingError: the store is away, has no registry, refuses, or draws it out.
    """

    def ask() -> Registered | str:
        try:
            return _register(connect(registry.uri), registry, name, exported)
        except Exception as error:
            return describe_failure(error).problem

    late: Registered | str = f"it has not ended after {deadline_s:g} s"
    answer = answer_in_time(ask, late, deadline_s)
    if isinstance(answer, Registered):
        return answer
    raise TrackingError(
        f"{name} was not registered in {registry.uri}: {answer.rstrip('.')}. What was exported is whole. To register "
        "it, see to that or choose another store (registry_uri=…), and give the command again with another output."
    )


def _register(client: "MlflowClient", registry: Registry, name: str, exported: ExportedModel) -> Registered:
    from mlflow.entities import LoggedModelOutput

    _make_name(client, name)
    run, notices = _find_run(client, registry)
    if run is None:
        experiment_id, run_id = find_experiment(client, registry.uri, registry.experiment), None
        notices += recover_experiment(client, experiment_id)
    else:
        experiment_id, run_id = run.info.experiment_id, run.info.run_id
    tags = {key: value[:LONGEST_TEXT] for key, value in exported.tags.items()}
    model = client.create_logged_model(experiment_id, _NOT_IN_NAMES.sub("-", name), source_run_id=run_id, tags=tags)
    is_server = not registry.uri.startswith("sqlite:///")
    try:
        _send(model, registry.uri, exported)
        client.finalize_logged_model(model.model_id, "READY")
        if run_id is not None:
            client.log_outputs(run_id, [LoggedModelOutput(model.model_id, exported.epoch)])
        made = client.create_model_version(
            name,
            model.artifact_location,
            run_id=run_id,
            tags=tags,
            description=exported.description[:LONGEST_TEXT],
            model_id=model.model_id if is_server else None,  # MLflow would look for it in another embedded store
        )
    except Exception:
        with suppress(Exception):
            client.delete_logged_model(model.model_id)  # nothing is left that looks whole
        raise
    version = int(made.version)
    if not is_server:
        client.set_logged_model_tags(model.model_id, {VERSIONS_TAG: json.dumps([{"name": name, "version": version}])})
    return Registered(name, version, registry.uri, notices)


def _make_name(client: "MlflowClient", name: str) -> None:
    """See that there is a registered model of the name; first of all, as a store without a registry says so here."""
    from mlflow.exceptions import MlflowException

    try:
        client.create_registered_model(name)
    except MlflowException as error:
        if error.error_code != TAKEN or client.get_prompt(name) is not None:
            raise


def _find_run(client: "MlflowClient", registry: Registry) -> tuple["Run | None", list[str]]:
    """The run that the model is of, if the store has it; and that it has not, where MLflow should know one."""
    run = find_run(client, registry.run_id) if registry.run_id else None
    if run is not None and run.info.lifecycle_stage == "active":
        return run, []
    return None, [f"{registry.uri} does not know the run: the version is linked to none"] if registry.run_id else []


def _send(model: "LoggedModel", uri: str, exported: ExportedModel) -> None:
    send = open_place(model.artifact_location, uri)
    for file in exported.files:
        within = file.parent.relative_to(exported.folder).as_posix()
        send(file, "" if within == "." else within, "")
