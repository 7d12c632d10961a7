"""The registry of formats: a row for each, with the function that writes it."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from sda.config.export import ExportConfig, ExportFormat
from sda.export.mlflow_model import write_mlflow_model
from sda.export.model_file import write_model_file
from sda.export.nn import check_streamable, write_nn
from sda.export.onnx import write_onnx
from sda.export.web.page import write_web
from sda.generation.synthesizer import Synthesizer

Write = Callable[..., list[Path]]
"""Writes a `Synthesizer`, with its `Description`, into a new folder; gives back the files, the main one first.

Recordings are called by the synthesizer's prior what they are to be called in the export. Everything that the user can
mend is an `SdaError`, raised before anything is written. What else a format can be told are keyword arguments with
defaults.
"""


class Format(NamedTuple):
    """A format that models are written in."""

    write: Write
    words: str
    """What it is for, in a few words."""
    keeps_prior: bool = True
    """Whether new sound can be drawn from it, and so, of a prior that holds sound, that sound is in it."""
    usage: tuple[str, ...] = ()
    """Commands or code that use it, a line each; `{file}` stands for the main file's name, `{generate}` and `{play}`
    for these verbs as they are called here; other braces are doubled."""
    check: Callable[[Synthesizer], object] = lambda synthesizer: None
    """Refuses a model that it is not for, with a `ConfigError`, before anything takes time."""
    turns_controls: bool = False
    """Whether the model's controls can be turned in it, so that they are found and tried before it is written."""
    settings: Callable[[ExportConfig], Mapping[str, Any]] = lambda config: {}
    """The keyword arguments that the user's keys make for its function."""


FORMATS: dict[ExportFormat, Format] = {
    ExportFormat.sda: Format(
        write_model_file,
        "one file that every verb of sda opens",
        usage=("{generate} run={file} n=8 duration_s=10 seed=7", "{play} run={file}"),
    ),
    ExportFormat.onnx: Format(
        write_onnx,
        "encoder and decoder as graphs that ONNX Runtime runs, from many languages",
        keeps_prior=False,
        usage=('onnxruntime.InferenceSession("{file}")  # model.json says what goes in and what comes out',),
    ),
    ExportFormat.web: Format(
        write_web,
        "a page that plays in a browser, from any server of files",
        usage=("python -m http.server 8000 --bind 127.0.0.1  # in this folder; then open http://127.0.0.1:8000",),
    ),
    ExportFormat.nn: Format(
        write_nn,
        "plays live: in Max and Pure Data by nn~, in SuperCollider by nn.ar",
        usage=("nn~ {file} sample 4096", "nn~ {file} forward 4096"),
        check=check_streamable,
        turns_controls=True,
        settings=lambda config: {
            "lookahead": config.lookahead,
            "n_paths": config.paths,
            "path_s": config.path_s,
            "seed": config.seed,
        },
    ),
    ExportFormat.mlflow: Format(
        write_mlflow_model,
        "a folder that MLflow loads and serves, wherever sda is installed",
        usage=(
            "mlflow models serve -m . --env-manager local -h 127.0.0.1 -p 5001  # in this folder",
            'mlflow.pyfunc.load_model(".").predict([{{"seed": 7, "seconds": 4.0}}])',
        ),
    ),
}
"""A row for each choice of `format`."""
