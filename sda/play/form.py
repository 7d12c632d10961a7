"""What the page asks of `GenerateConfig`: its keys described for a form, and a form's values checked by it."""

import re
from dataclasses import Field, fields
from enum import Enum
from typing import Any

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from sda.config.verbs import GenerateConfig, GenerateMode
from sda.config_field import Range, Traits
from sda.errors import ConfigError
from sda.shell import name_verb

LONGEST_S = 600.0
"""Of a sound that is made by the page."""
MOST_SOUNDS = 64
_TEXT = re.compile(r"[-+0-9.:,;eE ]*|auto")
"""Numbers and curves of them, such as `0:0,4:1`; never a path."""
_NOT_ASKED = frozenset({"data", "mode", "device", "checkpoint", "wanted"})
"""Keys that the page does not ask for; those of paths neither."""


def describe_keys() -> list[dict[str, Any]]:
    """Every key that a request may give but those of controls, as a form needs to know it.

    `kind` is `number`, `switch`, `choice` or `text`; `modes` are those that know the key, empty for all.
    """
    asked = _list_asked()
    return [
        _describe(item) for item in fields(GenerateConfig) if item.name in asked and not _read_traits(item).is_control
    ]


def describe_modes() -> list[str]:
    """Names of the modes."""
    return [mode.name for mode in GenerateMode]


def read_settings(given: Any, run: str, source: str, **ours: Any) -> GenerateConfig:
    """A request's settings, once they are seen to be allowed.

    Args:
        given: what the page sent: values by key, `mode` among them.
        source: path of the sound to start from, which no request can name.
        ours: keys that the server itself sets.

    Raises:
        ConfigError: with the key, its value and what is allowed.
    """
    allowed = _list_asked() | {"mode"}
    if not isinstance(given, dict):
        raise ConfigError("the request is no set of keys and values.")
    for key, value in given.items():
        if key not in allowed:
            raise ConfigError(f"{key} is no key that the page may give: there are {', '.join(sorted(allowed))}.")
        if isinstance(value, (dict, list)):
            raise ConfigError(f"{key} is a list or an object: give one value.")
    for key, value in given.items():
        is_named = isinstance(_find(key).default, Enum)
        if isinstance(value, str) and not is_named and not _TEXT.fullmatch(value):
            raise ConfigError(f"{key}={value} is not allowed: give a number, or a curve such as 0:0,4:1.")
        if is_named and not str(value).isidentifier():
            raise ConfigError(f"{key}={value} is not allowed.")
    own: Any = {**ours, "run": ""}
    try:
        composed = OmegaConf.merge(OmegaConf.structured(GenerateConfig), given, own)
        config = OmegaConf.to_object(composed)
    except OmegaConfBaseException as error:
        words = str(error.msg or error).splitlines()[0]
        raise ConfigError(f"{error.full_key or 'the request'}: {words}") from error
    assert isinstance(config, GenerateConfig)
    config.run, config.source = run, source
    _refuse_much(config)
    return config


def _refuse_much(config: GenerateConfig) -> None:
    more = f"{name_verb('generate')} makes more"
    if config.n > MOST_SOUNDS:
        raise ConfigError(f"n={config.n} is too many at once for the page: up to {MOST_SOUNDS}; {more}.")
    if not isinstance(config.duration_s, str) and config.duration_s > LONGEST_S:
        raise ConfigError(f"duration_s={config.duration_s:g} is too long for the page: up to {LONGEST_S:g} s; {more}.")


def _list_asked() -> frozenset[str]:
    """Keys without those that name files or places."""
    return frozenset(
        item.name
        for item in fields(GenerateConfig)
        if item.name not in _NOT_ASKED and not _read_traits(item).is_path and "help" in item.metadata
    )


def _find(key: str) -> "Field[Any]":
    return next(item for item in fields(GenerateConfig) if item.name == key)


def _read_traits(item: "Field[Any]") -> Traits:
    return Traits(**item.metadata.get("traits", {}))


def _describe(item: "Field[Any]") -> dict[str, Any]:
    default, limits = item.default, item.metadata["range"]
    kind, choices = "number", list[str]()
    if isinstance(default, bool):
        kind = "switch"
    elif isinstance(default, Enum):
        kind, choices, default = "choice", [member.name for member in type(default)], default.name
    elif isinstance(default, str):
        kind = "text"
    return {
        "key": item.name,
        "kind": kind,
        "help": item.metadata["help"],
        "unit": item.metadata["unit"],
        "default": default,
        "choices": choices,
        "modes": [mode for mode in _read_traits(item).modes.split(",") if mode],
        "is_whole": isinstance(default, int),
        **_bound(item.name, limits),
    }


def _bound(key: str, limits: Range) -> dict[str, float | None]:
    """The least and the most of a number; nothing where there is no bound."""
    most = {"n": MOST_SOUNDS, "duration_s": LONGEST_S}
    low = limits.at_least if limits.at_least is not None else limits.above
    high = limits.at_most if limits.at_most is not None else limits.below
    return {"low": low, "high": min(high, most[key]) if high is not None and key in most else most.get(key, high)}
