"""Settings from Python: the keys of a verb by their names, checked and told of as on the command line."""

import os
from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Any

import numpy as np
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from sda.config.help import SCHEMAS
from sda.config.plain import escape
from sda.errors import ConfigError, SdaError
from sda.report.explanation import explain_composition, find_origin
from sda.roots import Folder, join_roots


def settle(verb: str, values: Mapping[str, Any]) -> Any:
    """A verb's configuration; keys that are not given have their defaults.

    Args:
        values: by key; what is `None` is not given.

    >>> settle("generate", {"run": "last", "novelty": 1, "share": [(0, 0), (4, 1)]}).share
    '0:0,4:1'

    Raises:
        ConfigError: a key is unknown, or its value is of the wrong type or out of range.
    """
    given = {key: as_plain(value) for key, value in values.items() if value is not None}
    try:
        return OmegaConf.to_object(OmegaConf.merge(OmegaConf.structured(SCHEMAS[verb]), escape(given)))
    except (OmegaConfBaseException, SdaError) as error:
        origin = find_origin(error)
        if isinstance(origin, SdaError):
            raise origin from None
        raise ConfigError(explain_composition(verb, error)) from error


def as_plain(value: Any) -> Any:
    """A value as it would be written: a path and an option as text, points of a curve as `0:0,4:1`, NumPy's numbers.

    >>> as_plain(np.float32(0.5)), as_plain([(0, 0.5), (2.5, 1)]), as_plain(["a", "b"])
    (0.5, '0:0.5,2.5:1', ['a', 'b'])
    """
    if isinstance(value, Enum):
        return value.name
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, np.generic | np.ndarray):
        return as_plain(value.tolist())
    if isinstance(value, list | tuple):
        value = [as_plain(item) if isinstance(item, np.generic | np.ndarray) else item for item in value]
        if value and all(_is_point(point) for point in value):
            return ",".join(f"{time_s}:{height}" for time_s, height in value)
        return [as_plain(item) for item in value]
    return value


def spell_roots(given: Folder | Sequence[Folder]) -> str:
    """Where sounds lie, as `data.root` is written: a folder, or several.

    >>> spell_roots("~/rain"), spell_roots(["/piano", "/rain"])
    ('~/rain', '["/piano","/rain"]')
    """
    return os.fspath(given) if isinstance(given, str | os.PathLike) else join_roots(given)


def _is_point(value: Any) -> bool:
    """Whether it is a time and a value."""
    return isinstance(value, list | tuple) and len(value) == 2 and all(isinstance(one, int | float) for one in value)
