"""Configuration of what a trained model is written as, to be used elsewhere."""

from dataclasses import dataclass
from enum import Enum

from omegaconf import MISSING

from sda.config.verbs import WhichCheckpoint
from sda.config_field import check_settings, setting


class ExportFormat(Enum):
    """Formats that a model is written in; `sda.export.formats` has a row for each."""

    sda = "sda"
    """One file that every verb of sda opens."""
    onnx = "onnx"
    """Graphs of the encoder and the decoder, for ONNX Runtime and whatever else reads them."""
    web = "web"
    """A folder that plays in a browser."""
    mlflow = "mlflow"
    """A folder that MLflow loads and serves."""


@dataclass
class ExportConfig:
    """Everything `export.py` can be told."""

    run: str = setting(MISSING, "The run: its folder, its MLflow run id, or `last`.", is_path=True)
    format: ExportFormat = setting(
        ExportFormat.sda,
        "sda is one file that every verb of sda opens; onnx is the network as two graphs for other programs; web is a "
        "page that plays in a browser; mlflow is a folder that MLflow loads and serves.",
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

    def __post_init__(self) -> None:
        check_settings(self, "")
