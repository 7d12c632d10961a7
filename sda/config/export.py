"""Configuration of what a trained model is written as, to be used elsewhere."""

import re
from dataclasses import dataclass
from enum import Enum

from omegaconf import MISSING

from sda.config.verbs import WhichCheckpoint
from sda.config_field import check_settings, setting
from sda.errors import ConfigError

LONGEST_REGISTERED = 250
_REGISTERED = re.compile(rf"[^/:. ][^/:]{{0,{LONGEST_REGISTERED - 1}}}")
"""What MLflow takes as the name of a registered model."""


class ExportFormat(Enum):
    """Formats that a model is written in; `sda.export.formats` has a row for each."""

    sda = "sda"
    """One file that every verb of sda opens."""
    onnx = "onnx"
    """Graphs of the encoder and the decoder, for ONNX Runtime and whatever else reads them."""
    web = "web"
    """A folder that plays in a browser."""
    nn = "nn"
    """A TorchScript file that plays in Max, Pure Data and SuperCollider."""
    mlflow = "mlflow"
    """A folder that MLflow loads and serves."""


@dataclass
class ExportConfig:
    """Everything `export.py` can be told."""

    run: str = setting(MISSING, "The run: its folder, its MLflow run id, or `last`.", is_path=True)
    format: ExportFormat = setting(
        ExportFormat.sda,
        "sda is one file that every verb of sda opens; onnx is the network as two graphs for other programs; web is a "
        "page that plays in a browser; nn plays in Max, Pure Data and SuperCollider, by nn~ and nn.ar; mlflow is a "
        "folder that MLflow loads and serves.",
    )
    name: str = setting(
        "", "Of the model, and of its files, without an ending; empty for that of the run's folder.", is_path=True
    )
    license: str = setting(
        "", "What others may do with the model, such as CC BY 4.0; it is written into it as it stands.", is_path=True
    )
    names: bool = setting(
        False, "Name the recordings that the model learned from; without it they are called recording 1, 2 and so on."
    )
    output: str = setting(
        "",
        "Folder for the files, new or empty; empty for a new one in the run's: exports/<format>, …-2 …",
        is_path=True,
    )
    checkpoint: WhichCheckpoint = setting(WhichCheckpoint.best, "The state of the run that is written.")
    lookahead: int | None = setting(
        3,
        "Of nn: latents that are waited for before sound comes out; fewer come sooner and change what is heard, null "
        "waits for all that matter.",
        unit="latents",
        at_least=0,
    )
    paths: int = setting(
        4,
        "Of nn: paths for new sound that are drawn into the file, at each novelty.",
        unit="paths",
        at_least=1,
        at_most=99,
    )
    path_s: float = setting(20.0, "Of nn: length of each of them.", unit="s", at_least=0.1, at_most=600)
    seed: int = setting(0, "Of nn: decides those paths, and the noise until the host sets another.", at_least=0)

    register: str = setting(
        "",
        "Of mlflow: the name in MLflow's registry of models that it becomes the next version of; empty registers "
        "nothing.",
        is_path=True,
    )
    registry_uri: str = setting(
        "",
        "Of mlflow: the store to register it in, sqlite:///FILE or http://… of a server; empty for the run's own, else "
        "$MLFLOW_TRACKING_URI, else sqlite:///mlflow.db.",
        is_path=True,
        is_place=True,
    )

    def __post_init__(self) -> None:
        check_settings(self, "")
        for key, value in {"register": self.register, "registry_uri": self.registry_uri}.items():
            if value and self.format is not ExportFormat.mlflow:
                raise ConfigError(f"{key}={value} goes with format=mlflow: MLflow keeps no format={self.format.value}.")
        if self.registry_uri and not self.register:
            raise ConfigError(f"registry_uri={self.registry_uri} registers nothing without a name: give register=NAME.")
        if self.register and not (_REGISTERED.fullmatch(self.register) and self.register.isprintable()):
            raise ConfigError(
                f"register={self.register} is no name for a registered model: give {LONGEST_REGISTERED} characters at "
                "most, without / and :, of which the first is neither a dot nor a space."
            )
