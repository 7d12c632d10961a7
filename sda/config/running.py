"""Configuration of what happens beside training: previews, checkpoints, evaluation, tracking and sweeps."""

from dataclasses import dataclass
from enum import Enum

from sda.config_field import check_settings, setting
from sda.measures import AT_END, OF_TRAINING


class TrackingBackend(Enum):
    """Where runs are recorded beside their own folder."""

    mlflow = "mlflow"
    none = "none"


@dataclass
class PreviewConfig:
    """What is rendered to listen to while a run goes on."""

    n_reconstructions: int = setting(2, "Held-out chunks rendered beside their originals.", at_least=1, at_most=16)
    first_minutes: float = setting(
        1.0,
        "A first preview after so long, in mid-epoch too, then at doubling distances until those of the epochs come; "
        "0 waits for the epochs.",
        unit="min",
        at_least=0,
        resumable=True,
        decides=False,
    )
    n_samples: int = setting(3, "New sounds drawn from the latent space.", at_least=0, at_most=64)
    n_variations: int = setting(
        5, "Variations of a training chunk rendered once, to hear what the model is shown.", at_least=0, at_most=16
    )

    def __post_init__(self) -> None:
        check_settings(self, "preview")


@dataclass
class TrackingConfig:
    """Where runs are recorded and compared."""

    backend: TrackingBackend = setting(TrackingBackend.mlflow, "tracking=mlflow or tracking=none chooses it.")
    uri: str = setting(
        "sqlite:///mlflow.db",
        "MLflow store: a SQLite file, relative to where you stand, or http://… of a server; $MLFLOW_TRACKING_URI goes "
        "before the default.",
        is_place=True,
    )
    experiment: str = setting(
        "sda", "MLflow experiment that the runs appear in; $MLFLOW_EXPERIMENT_NAME goes before the default."
    )
    close_timeout_s: float = setting(
        60.0,
        "How long a run waits at its end for MLflow; what is left can be delivered later, and it is said how.",
        unit="s",
        at_least=0,
        resumable=True,
    )

    def __post_init__(self) -> None:
        check_settings(self, "tracking")


@dataclass
class CheckpointConfig:
    """When the state of a run is saved, beside every `training.checkpoint_interval` epochs."""

    every_minutes: float = setting(
        5.0,
        "Save also when the last save is this long ago, in mid-epoch too; 0 does not.",
        unit="min",
        at_least=0,
        resumable=True,
        decides=False,
    )

    def __post_init__(self) -> None:
        check_settings(self, "checkpoint")


class Suite(Enum):
    """How much is evaluated at the end of a training."""

    none = "none"
    small = "small"
    full = "full"


@dataclass
class EvaluationConfig:
    """What is measured at the end of a training."""

    at_end: Suite = setting(
        Suite.small,
        "small takes a fraction of the time of the verb evaluate, full is the same; none only reconstructs.",
    )
    max_clips: int = setting(
        64, "Held-out chunks turned back into sound and compared, spread over the files.", unit="chunks", at_least=1
    )

    def __post_init__(self) -> None:
        check_settings(self, "evaluation")


OBJECTIVES = (
    f"{', '.join(AT_END)} (of held-out sound), {', '.join(OF_TRAINING)}, or a key of evaluation.json such as "
    "memorisation.replay_rate"
)
"""What runs can be ranked by, in words."""


@dataclass
class SweepConfig:
    """Several trainings with one command (-m)."""

    resume: bool = setting(
        False,
        "Go on with the newest sweep of the same command: jobs that finished are not run again, others go on from "
        "their last checkpoint. For an older one, give its folder: hydra.sweep.dir=…",
        decides=False,
    )
    objective: str = setting(
        "log_mel_l1_db",
        f"What runs are ranked by, and hydra/sweeper=optuna makes small: {OBJECTIVES}.",
        decides=False,
    )

    def __post_init__(self) -> None:
        check_settings(self, "sweep")
