"""Validation of stored files: read as what they should be, or refused with what is wrong with them.

A file that a crash, a full disk or somebody's editor spoilt is damaged. Of the run that was asked for this is an error;
a neighbour that is met on the way is named, once, and passed over.
"""

import json
import math
import reprlib
import sys
from collections.abc import Callable
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, TypedDict, TypeVar, Union, get_args, get_origin, get_type_hints, is_typeddict

from sda.errors import DamagedError
from sda.plain_files import read_json
from sda.printable import make_lines_printable

Stored = TypeVar("Stored")

_WORDS: dict[type, str] = {
    str: "text",
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    list: "a list",
    tuple: "a list",
    dict: "an object",
    NoneType: "null",
}
"""What a file holds, as a person calls it."""
LARGEST_FIGURE = 1e15
"""No measure comes near this; statistics of what lies beyond would overflow."""
_told: set[str] = set()
"""Damages that this process has named."""


class _RequiredSummary(TypedDict):
    status: str


class RunSummary(_RequiredSummary, total=False):
    """What `summary.json` holds, as far as it is read again."""

    active_at: float
    identity: str
    epochs: int
    steps: int
    elapsed_s: float
    validation_weakness: str
    best_epoch: int | None
    best_val_loss: float | None
    overfitting_gap: float | None
    reconstruction: dict[str, dict[str, float]]
    held_out_by_file: dict[str, dict[str, float]]
    evaluation: dict[str, str | float | None]
    mlflow_run_id: str
    mlflow_link: str


def read_stored(path: Path, shape: type[Stored], advice: str = "", load: Callable[[Path], Any] = read_json) -> Stored:
    """A file's values; those of a dataclass as an instance of it.

    Args:
        shape: a dataclass, a `TypedDict` (whose values may hold more than it names), or a type such as `list[str]`.
        advice: what to do where it is damaged.
        load: reads the file as plain values; raises `OSError` and `ValueError`.

    Raises:
        DamagedError: it is missing, cannot be read, or holds something else.
    """
    try:
        values = load(path)
    except OSError as error:
        raise DamagedError(f"{path} cannot be read ({error.strerror or error}). {advice}".rstrip()) from error
    except ValueError as error:
        raise DamagedError(f"{path} is damaged ({error}). {advice}".rstrip()) from error
    return take_shape(values, shape, str(path), advice)


def parse_stored(line: bytes, shape: type[Stored], place: str) -> Stored:
    """The values of one line of JSON; see `read_stored`.

    Args:
        place: where it stands, for errors.

    Raises:
        DamagedError: it is torn, no JSON, or holds something else.
    """
    try:
        values = json.loads(line.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise DamagedError(f"{place} is damaged ({error}).") from error
    return take_shape(values, shape, place)


def take_shape(values: Any, shape: type[Stored], place: str, advice: str = "") -> Stored:
    """Plain values, once they are seen to be what they should be; see `read_stored`.

    Args:
        place: where they stand, for errors.

    Raises:
        DamagedError: they are something else.
    """
    misfit = find_misfit(values, shape)
    if misfit:
        raise DamagedError(f"{place} is damaged ({misfit}). {advice}".rstrip())
    if is_dataclass(shape):
        known = {item.name for item in fields(shape)}
        return shape(**{name: value for name, value in values.items() if name in known})
    taken: Stored = values
    return taken


def find_misfit(value: Any, hint: Any, name: str = "it") -> str:
    """What is wrong with a plain value, in words; empty where it is as it should be.

    >>> find_misfit({"status": "finished", "active_at": "now"}, RunSummary)
    "active_at is text ('now') where a number belongs"
    >>> find_misfit([], RunSummary), find_misfit({}, RunSummary)
    ('it is a list ([]) where an object belongs', 'status is missing')
    """
    origin, arguments = get_origin(hint), get_args(hint)
    if hint is Any:
        return ""
    if origin in (Union, UnionType):
        misfits = [find_misfit(value, one, name) for one in arguments]
        return "" if "" in misfits else misfits[0]
    if is_dataclass(hint) or is_typeddict(hint):
        return _name_other_kind(value, dict, name) or _find_misfit_of_fields(value, hint)
    kind = origin or hint
    other_kind = _name_other_kind(value, kind, name)
    if other_kind or not arguments:
        return other_kind
    if kind is dict:
        parts = [(inner, arguments[1], str(key)) for key, inner in value.items()]
    elif kind is tuple:
        if len(value) != len(arguments):
            return f"{name} has {len(value)} entries where {len(arguments)} belong"
        parts = [(inner, one, name) for inner, one in zip(value, arguments, strict=True)]
    else:
        parts = [(inner, arguments[0], f"an entry of {name}") for inner in value]
    return next((misfit for part in parts if (misfit := find_misfit(*part))), "")


def to_figure(value: Any) -> float:
    """A figure as a file holds it; not a number where it is none, or beyond all that is ever measured.

    >>> to_figure(0.5), to_figure("learned"), to_figure(math.inf), to_figure(1e300)
    (0.5, nan, nan, nan)
    """
    return float(value) if isinstance(value, (int, float)) and abs(value) <= LARGEST_FIGURE else math.nan


def pass_over(damage: Exception) -> None:
    """Name a damaged neighbour, once in the life of the process."""
    words = str(damage)
    if words not in _told:
        _told.add(words)
        print(f"! passed over: {make_lines_printable(words)}", file=sys.stderr, flush=True)


def _find_misfit_of_fields(values: dict[str, Any], hint: Any) -> str:
    if is_typeddict(hint):
        required = hint.__required_keys__
    else:
        required = {item.name for item in fields(hint) if (item.default, item.default_factory) == (MISSING, MISSING)}
    for name, inner in get_type_hints(hint).items():
        if name in values:
            misfit = find_misfit(values[name], inner, name)
            if misfit:
                return misfit
        elif name in required:
            return f"{name} is missing"
    return ""


def _name_other_kind(value: Any, kind: Any, name: str) -> str:
    """That a value is of another kind, in words; a whole number is a number, and a truth value is none."""
    allowed: Any = {float: (int, float), tuple: list}.get(kind, kind)
    if not isinstance(value, allowed) or (isinstance(value, bool) and kind is not bool):
        found = _WORDS.get(type(value), type(value).__name__)
        return f"{name} is {found} ({reprlib.repr(value)}) where {_WORDS[kind]} belongs"
    if isinstance(value, int) and abs(value) >= 1 << 53:
        return f"{name} is larger than any number of ours"
    return ""
