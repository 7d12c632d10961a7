r"""A configuration that is resolved already: plain values, in which nothing is resolved a second time."""

import re
from pathlib import Path
from typing import Any

import yaml
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from sda.config.schema import TrainRunConfig
from sda.errors import CheckpointError

_OPENING = re.compile(r"(\\*)\$\{")


def escape(value: Any) -> Any:
    r"""Values that OmegaConf takes as they are: the opening of an interpolation is escaped wherever it stands.

    >>> escape({"root": "/sounds/${old}", "folds": [1, None]})
    {'root': '/sounds/\\${old}', 'folds': [1, None]}
    """
    if isinstance(value, str):
        return _OPENING.sub(lambda match: "\\" * (2 * len(match[1]) + 1) + "${", value)
    if isinstance(value, dict):
        return {key: escape(inner) for key, inner in value.items()}
    return [escape(inner) for inner in value] if isinstance(value, list) else value


def compose_plain(values: dict[str, Any], origin: Path) -> DictConfig:
    """A training configuration from plain values; what they lack has its default.

    Args:
        origin: where they come from, for errors.

    Raises:
        CheckpointError: they are no configuration of this version of sda.
    """
    try:
        composed = OmegaConf.merge(OmegaConf.structured(TrainRunConfig), escape(values))
    except (OmegaConfBaseException, TypeError, ValueError, AttributeError, RecursionError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise CheckpointError(f"{origin}: its configuration is none of this version of sda ({reason}).") from error
    assert isinstance(composed, DictConfig)
    return composed


def read_yaml(path: Path) -> Any:
    """What a YAML file says, as plain values.

    Raises:
        OSError: it cannot be read.
        ValueError: it is no YAML.
    """
    try:
        return yaml.safe_load(path.read_bytes().decode("utf-8"))
    except (yaml.YAMLError, RecursionError) as error:
        raise ValueError((str(error).splitlines() or ["it is nested too deeply"])[0]) from error
