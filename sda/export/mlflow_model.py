"""Format `mlflow`: a model file in a folder that MLflow loads, serves and keeps, without a pickle.

`MLmodel` names `LOADER`, a module of sda, and the model file; no code lies in the folder.
"""

import os
import platform
import re
import shlex
import shutil
import tempfile
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sda.errors import ConfigError
from sda.export.description import Description
from sda.export.model_file import write_model_file
from sda.generation.synthesizer import Synthesizer
from sda.tracking.quiet import keep_quiet

if TYPE_CHECKING:
    from mlflow.models import ModelSignature

LOADER = "sda.api.mlflow_loader"
"""The module that opens it: a name, as it stands above this one."""
MAIN = "MLmodel"
PACKAGE = "sda-audio"
EXAMPLE = [{"seed": 7, "seconds": 4.0, "novelty": 0.1, "mode": "sample"}]
"""A row that such a model is asked with."""


def write_mlflow_model(synthesizer: Synthesizer, description: Description, folder: Path) -> list[Path]:
    """Write `MLmodel`, `data/NAME.sda` and what MLflow has beside them into a folder.

    Raises:
        ConfigError: sda is not installed, so that nobody knows what it needs.
        OSError: the folder cannot be written.
    """
    needed = list_requirements()
    keep_quiet()
    from mlflow.pyfunc import save_model

    with tempfile.TemporaryDirectory(dir=folder, prefix=".model-") as draft:
        source, made = Path(draft) / "source", Path(draft) / "made"
        source.mkdir()
        (file,) = write_model_file(synthesizer, description, source)
        save_model(
            path=made,
            loader_module=LOADER,
            data_path=os.fspath(file),
            signature=_write_signature(),
            input_example=EXAMPLE,
            conda_env=_list_environment(needed),  # not `pip_requirements`: MLflow would warn where pip is not installed
            metadata=_list_facts(description),
            uv_project_path=source,  # there is none: MLflow would else copy that of the folder where one stands
        )
        names = sorted(path.name for path in made.iterdir())
        for name in names:
            shutil.move(made / name, folder / name)
    written = [path for name in names for path in _list_files(folder / name)]
    return sorted(written, key=lambda path: path != folder / MAIN)


def list_requirements() -> list[str]:
    """sda and what it needs, each with the version that is here, as pip takes them.

    Raises:
        ConfigError: sda is not installed.
    """
    try:
        names = [re.split(r"[^\w.-]", line)[0] for line in requires(PACKAGE) or [] if "extra ==" not in line]
        return [f"{name}=={_make_public(version(name))}" for name in (PACKAGE, *names)]
    except PackageNotFoundError as missing:
        raise ConfigError(
            f"format=mlflow says which packages the model needs, and {missing.name} is not installed here: run "
            "`make setup`, or `pip install -e .` in the project's folder."
        ) from missing


def _list_environment(needed: list[str]) -> dict[str, Any]:
    """What is installed for the model where MLflow sets up an environment; `requirements.txt` follows from it."""
    return {
        "name": "sda",
        "channels": ["conda-forge"],
        "dependencies": [f"python={platform.python_version()}", "pip", {"pip": needed}],
    }


def _make_public(found: str) -> str:
    """A version without what names one build of it, such as `+cpu`, which package indexes do not have.

    >>> _make_public("2.14.1+cpu")
    '2.14.1'
    """
    return re.sub(r"\+.*", "", found)


def _write_signature() -> "ModelSignature":
    """What a row is asked with, and what comes of it."""
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, Schema

    asked = Schema(
        [
            ColSpec("long", "seed"),
            ColSpec("double", "seconds"),
            ColSpec("double", "novelty", required=False),
            ColSpec("string", "mode", required=False),
        ]
    )
    made = Schema(
        [
            ColSpec("string", "wav"),
            ColSpec("long", "sample_rate_hz"),
            ColSpec("double", "seconds"),
            ColSpec("string", "sources"),
        ]
    )
    return ModelSignature(inputs=asked, outputs=made)


def list_tags(description: Description, run: str) -> dict[str, str]:
    """What a registered version is tagged with; what is not known is left out.

    Args:
        run: that the model is of, by its name.
    """
    facts = {"run": run, "epoch": description.epoch, "verdict": description.label, "license": description.license}
    tags = {f"sda.{key}": str(value) for key, value in facts.items() if value != ""}
    return tags | {"sda.holds_sound": str(description.holds_sound).lower()}


def name_uses(name: str, version: int, uri: str) -> list[str]:
    """What loads and serves a registered version, to be pasted.

    >>> name_uses("rain", 3, "sqlite:////tmp/mlflow.db")[0]
    'mlflow.set_tracking_uri("sqlite:////tmp/mlflow.db"); model = mlflow.pyfunc.load_model("models:/rain/3")'
    """
    model, asked = f"models:/{name}/{version}", "--env-manager local -h 127.0.0.1 -p 5001"
    return [
        f'mlflow.set_tracking_uri("{uri}"); model = mlflow.pyfunc.load_model("{model}")',
        f"MLFLOW_TRACKING_URI={shlex.quote(uri)} mlflow models serve -m {shlex.quote(model)} {asked}",
    ]


def _list_facts(description: Description) -> dict[str, Any]:
    """What MLflow shows of the model beside its signature."""
    return {
        "name": description.name,
        "epoch": description.epoch,
        "license": description.license,
        "verdict": description.label,
        "holds_sound": description.holds_sound,
    }


def _list_files(path: Path) -> list[Path]:
    return sorted(one for one in path.rglob("*") if one.is_file()) if path.is_dir() else [path]
