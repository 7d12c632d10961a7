"""The MLflow store that the environment names, for runs that are told no other on the command line."""

import os
from urllib.parse import urlsplit

from sda.config.running import TrackingConfig

URI, EXPERIMENT = "MLFLOW_TRACKING_URI", "MLFLOW_EXPERIMENT_NAME"
"""MLflow's own variables."""

SUPPORTED_STORES = ("http://", "https://", "sqlite:///")
"""How addresses begin of stores that runs are delivered to."""


def choose_uri() -> str:
    """The store's address where none is given: the environment's, if runs can be delivered there, else the default."""
    named = os.environ.get(URI, "")
    return named if named and not explain_refusal(named) else TrackingConfig().uri


def choose_experiment() -> str:
    """The experiment's name where none is given."""
    return os.environ.get(EXPERIMENT) or TrackingConfig().experiment


def explain_refusal(uri: str) -> str:
    """Why an address in the environment is passed over; empty where it is taken.

    >>> explain_refusal("https://mlflow.example.org"), explain_refusal("databricks")
    ('', 'runs are delivered to http://…, https://… and sqlite:///… alone')
    >>> explain_refusal("https://ada:secret@mlflow.example.org").partition(",")[0]
    'it holds a password'
    """
    if not uri.startswith(SUPPORTED_STORES):
        return f"runs are delivered to {'…, '.join(SUPPORTED_STORES[:-1])}… and {SUPPORTED_STORES[-1]}… alone"
    if not uri.startswith("sqlite") and "@" in urlsplit(uri).netloc:
        return (
            "it holds a password, which would be written into the run's folder; put it into MLFLOW_TRACKING_USERNAME "
            "and MLFLOW_TRACKING_PASSWORD"
        )
    return ""


def describe_environment(uri: str, experiment: str, *, is_uri_left: bool, is_experiment_left: bool) -> list[str]:
    """What the environment decides of where a run goes, in words; nothing where it names nothing.

    Args:
        uri: where the run goes.
        experiment: in which experiment.
        is_uri_left, is_experiment_left: to the environment; what is given goes before it.
    """
    notices, named = [], os.environ.get(URI, "")
    if named and not is_uri_left and named != uri:
        notices.append(f"MLflow's store is {uri}, as it was given; {URI} names another, and is passed over")
    elif named and is_uri_left:
        refusal = explain_refusal(named)
        why = f"{URI} is passed over: {refusal}" if refusal else f"{URI} names it"
        notices.append(f"MLflow's store is {uri}; {why}")
    if os.environ.get(EXPERIMENT) and is_experiment_left:
        notices.append(f"MLflow's experiment is {experiment}; {EXPERIMENT} names it")
    return notices
