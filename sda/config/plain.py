r"""A configuration that is resolved already: plain values, in which nothing is resolved a second time.

What a checkpoint or a run's folder holds may come from anybody. `${oc.env:SECRET}` in it is
letters and signs, never the secret.
"""

import re
from pathlib import Path
from typing import Any, cast

import yaml
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from sda.config.schema import TrainRunConfig
from sda.errors import CheckpointError
from sda.plain_files import read_plain

MOST_YAML_BYTES = 1 << 22
"""Size beyond which a configuration is not read; ours have a thousandth of it."""
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


def format_plain(values: Any) -> str:
    """Plain values as YAML."""
    return cast(str, yaml.safe_dump(values, sort_keys=False, allow_unicode=True, default_flow_style=False, width=1000))


def read_yaml(path: Path) -> Any:
    """What a YAML file says, as plain values.

    Raises:
        OSError: it cannot be read, is a link, or is far too large.
        ValueError: it is no YAML, or refers to parts of itself, by which a few lines would grow beyond all bounds.
    """
    try:
        return yaml.load(read_plain(path, MOST_YAML_BYTES).decode("utf-8"), Loader=_PlainLoader)
    except (yaml.YAMLError, RecursionError) as error:
        raise ValueError((str(error).splitlines() or ["it is nested too deeply"])[0]) from error


class _PlainLoader(yaml.SafeLoader):  # type: ignore[misc]
    """YAML without references."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("it refers to parts of itself")
        return super().compose_node(parent, index)
