"""The MLflow store that the environment names."""

import pytest
from omegaconf import OmegaConf

from sda.config.environment import choose_experiment, choose_uri, describe_environment
from sda.config.resolvers import register_resolvers
from sda.config.running import TrackingConfig

DEFAULT = "sqlite:///mlflow.db"
SERVER = "https://mlflow.example.org"


@pytest.fixture(autouse=True)
def _nothing_named(monkeypatch):
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_EXPERIMENT_NAME"):
        monkeypatch.delenv(name, raising=False)


def _describe(uri: str, *, is_left: bool = True) -> list[str]:
    return describe_environment(uri, "rain", is_uri_left=is_left, is_experiment_left=is_left)


def test_without_a_word_the_defaults_stand_and_nothing_is_said():
    assert (choose_uri(), choose_experiment()) == (DEFAULT, "sda")
    assert _describe(DEFAULT) == []


@pytest.mark.parametrize("uri", [SERVER, "http://127.0.0.1:5000", "sqlite:///elsewhere.db"])
def test_a_store_in_the_environment_is_taken_and_named(monkeypatch, uri):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "rain")
    assert (choose_uri(), choose_experiment()) == (uri, "rain")
    assert _describe(uri) == [
        f"MLflow's store is {uri}; MLFLOW_TRACKING_URI names it",
        "MLflow's experiment is rain; MLFLOW_EXPERIMENT_NAME names it",
    ]


def test_what_is_given_goes_before_the_environment(monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", SERVER)
    register_resolvers(lambda *_: pytest.fail("nothing is scanned"))
    tracking = OmegaConf.structured(TrackingConfig(uri="${tracking_uri:}"))
    assert tracking.uri == SERVER
    tracking.uri = "sqlite:////tmp/mine.db"
    assert tracking.uri == "sqlite:////tmp/mine.db"
    (notice,) = _describe(tracking.uri, is_left=False)
    assert notice.startswith("MLflow's store is sqlite:////tmp/mine.db, as it was given; MLFLOW_TRACKING_URI names an")


@pytest.mark.parametrize(
    ("uri", "why"),
    [
        ("databricks", "runs are delivered to http://…, https://… and sqlite:///… alone"),
        ("file:///tmp/mlruns", "runs are delivered to"),
        ("https://ada:secret@mlflow.example.org", "it holds a password, which would be written into the run's folder"),
    ],
)
def test_a_store_that_cannot_be_taken_is_passed_over_and_it_is_said_why(monkeypatch, uri, why):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    assert choose_uri() == DEFAULT
    (notice,) = _describe(DEFAULT)
    assert notice.startswith(f"MLflow's store is {DEFAULT}; MLFLOW_TRACKING_URI is passed over: {why}")
    assert "secret" not in notice
