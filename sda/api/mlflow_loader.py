"""An exported model as MLflow loads and serves it: rows that say what is wanted, rows with sounds.

`MLmodel` names this module; `sda.export.mlflow_model` writes it.
"""

import base64
import json
import math
import tempfile
from collections.abc import Mapping, Sequence
from numbers import Real
from pathlib import Path
from threading import Lock
from typing import Any, Protocol, TypedDict

from sda.api.model import Model, load
from sda.api.sound import Sound
from sda.errors import SdaError

MOST_ROWS = 16
"""Sounds that one call may ask for."""
LONGEST_S = 60.0
"""Seconds of each."""
MODE = "sample"
"""The only mode: the others start from sound."""
_OPTIONAL = ("novelty",)
"""Settings that a row may leave out."""

Row = Mapping[str, Any]


class Made(TypedDict):
    """A row that comes back."""

    wav: str
    """A WAV file of 16 bits, mono, in base64."""
    sample_rate_hz: int
    seconds: float
    """Of sound, to the sample."""
    sources: str
    """JSON: the share of every recording that it is made of, by what the model calls it; empty where nobody knows."""


class Table(Protocol):
    """A DataFrame of pandas, as far as it is used here."""

    def to_dict(self, orient: str) -> list[dict[str, Any]]:
        """Its rows, for `orient="records"`."""


class SoundModel:
    """Makes sounds as `sda.load(file).sample(…)` does; one call at a time, as a server has several threads."""

    def __init__(self, model: Model):
        self._model = model
        self._lock = Lock()

    def predict(self, model_input: Table | Sequence[Row], params: Mapping[str, Any] | None = None) -> list[Made]:
        """A sound for every row.

        Args:
            model_input: rows with `seed`, `seconds` and, if wanted, `novelty` (from 0 to 1) and `mode` (sample).
            params: MLflow's; there are none.

        Raises:
            MlflowException: with INVALID_PARAMETER_VALUE, so that a server answers 400: a row asks for what is not to
                be had, or there are too many of them. No sound comes back then.
        """
        rows = list(model_input) if isinstance(model_input, Sequence) else model_input.to_dict("records")
        if len(rows) > MOST_ROWS:
            raise _refuse(f"{len(rows)} rows are too many: ask for {MOST_ROWS} sounds a call at most.")
        asked = [_read_row(number, row) for number, row in enumerate(rows, start=1)]
        with self._lock:
            return [self._make(number, one) for number, one in enumerate(asked, start=1)]

    def _make(self, number: int, asked: Mapping[str, Any]) -> Made:
        try:
            sound = self._model.sample(**asked)
        except SdaError as error:
            raise _refuse(f"row {number}: {error}") from error
        return Made(
            wav=base64.b64encode(_write(sound)).decode("ascii"),
            sample_rate_hz=sound.sample_rate_hz,
            seconds=sound.duration_s,
            sources=json.dumps(sound.provenance.get("shares", {})),
        )


def _load_pyfunc(data_path: str) -> SoundModel:
    """Open the model file of an exported model; MLflow calls it by this name.

    Raises:
        CheckpointError: it is none, or damaged.
    """
    return SoundModel(load(data_path))


def _read_row(number: int, row: Row) -> dict[str, Any]:
    """What `Model.sample` is told.

    Raises:
        MlflowException: the row asks for something else.
    """
    given = {key: value for key, value in row.items() if not _is_missing(value)}
    mode = given.pop("mode", MODE)
    if mode != MODE:
        raise _refuse(f"row {number}: mode={mode} is not to be had here: leave it out, or give {MODE}.")
    unknown = [key for key in given if key not in ("seed", "seconds", *_OPTIONAL)]
    if unknown:
        known = ", ".join(("seed", "seconds", *_OPTIONAL, "mode"))
        raise _refuse(f"row {number}: {unknown[0]} is unknown: a row has {known}.")
    for key in ("seed", "seconds"):
        if key not in given:
            raise _refuse(f"row {number}: {key} is missing.")
    seconds = given["seconds"]
    if not isinstance(seconds, Real) or not 0 < float(seconds) <= LONGEST_S:
        raise _refuse(f"row {number}: seconds={seconds} is not allowed: give more than 0 and {LONGEST_S:g} at most.")
    return given


def _is_missing(value: Any) -> bool:
    """Whether a cell is empty: JSON's null, or what a table has in its place."""
    return value is None or (isinstance(value, float) and math.isnan(value))


def _write(sound: Sound) -> bytes:
    """The file that `Sound.save` writes."""
    with tempfile.TemporaryDirectory() as folder:
        return sound.save(Path(folder) / "sound.wav").read_bytes()


def _refuse(message: str) -> Exception:
    """What a server answers 400 to."""
    from mlflow.exceptions import MlflowException

    refused: Exception = MlflowException.invalid_parameter_value(message)
    return refused
