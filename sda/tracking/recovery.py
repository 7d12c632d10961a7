"""Recovery of runs and experiments that were put into MLflow's bin, or are gone from it for good."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

GONE = "RESOURCE_DOES_NOT_EXIST"
"""MLflow's code for what it does not know."""
_IN_THE_BIN = "deleted"


def find_run(client: "MlflowClient", run_id: str) -> "Run | None":
    """A run as MLflow has it, in the bin or not; nothing where it does not know it any more."""
    from mlflow.exceptions import MlflowException

    try:
        return client.get_run(run_id)
    except MlflowException as error:
        if error.error_code == GONE:
            return None
        raise


def recover_run(client: "MlflowClient", run_id: str) -> list[str] | None:
    """Take a run, and its experiment, back out of MLflow's bin.

    Returns:
        what was done, in words; nothing where MLflow does not know the run any more.
    """
    run = find_run(client, run_id)
    if run is None:
        return None
    if run.info.lifecycle_stage != _IN_THE_BIN:
        return []
    done = recover_experiment(client, run.info.experiment_id)
    if client.get_run(run_id).info.lifecycle_stage == _IN_THE_BIN:  # an experiment brings its runs back with it
        client.restore_run(run_id)
    return [*done, f"run {run_id} had been deleted in MLflow and was restored"]


def recover_experiment(client: "MlflowClient", experiment_id: str) -> list[str]:
    """Take an experiment back out of MLflow's bin; says so where it was there."""
    experiment = client.get_experiment(experiment_id)
    if experiment.lifecycle_stage != _IN_THE_BIN:
        return []
    client.restore_experiment(experiment_id)
    return [f"experiment {experiment.name} had been deleted in MLflow and was restored"]
