"""The axes of several runs: keys in which they differ, and their values as they are shown."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sda.config.schema import TrainRunConfig
from sda.config_field import list_traits
from sda.printable import make_printable
from sda.roots import name_roots, split_roots

REPEATED = ("seed", "data.fold")
"""Axes along which a setting is repeated: they decide what is held out, not how it is trained."""
_FOLDERS = {key for key, traits in list_traits(TrainRunConfig).items() if traits.takes_several}
_NOT_COMPARED = {key for key, traits in list_traits(TrainRunConfig).items() if not traits.compared}
"""Keys that tell no two runs apart in what they learned."""


def find_axes(configs: Sequence[dict[str, Any]], overrides: Sequence[dict[str, str]]) -> dict[str, list[str]]:
    """The given keys in which runs differ, with their values: numbers in their order, words in that of the runs.

    >>> find_axes([{"seed": 0}, {"seed": 1}], [{"seed": "0", "model": "mel_vae"}, {"seed": "1", "model": "mel_vae"}])
    {'seed': ['0', '1']}
    """
    keys = dict.fromkeys(key for given in overrides for key in given)
    axes = {}
    for key in keys:
        pairs = zip(configs, overrides, strict=True)
        found = list(dict.fromkeys(value_of(key, config, given) for config, given in pairs))
        values = sorted(found, key=lambda value: order_value(value)[:2])  # words stay in the order of the runs
        if len(values) > 1 and key not in _NOT_COMPARED and not key.startswith(("hydra.", "hydra/")):
            axes[key] = values
    return axes


def shorten(values: Sequence[str], key: str = "") -> dict[str, str]:
    """Values as they are shown: long numbers rounded, folders by their last part, where that leaves them apart.

    >>> shorten(["0.00964026132896019", "0.1"]), shorten(["0.123456", "0.123457"])
    ({'0.00964026132896019': '0.00964', '0.1': '0.1'}, {'0.123456': '0.123456', '0.123457': '0.123457'})
    >>> shorten(["/home/ada/rain", "/home/ada/wind"])
    {'/home/ada/rain': 'rain', '/home/ada/wind': 'wind'}
    >>> shorten(["/home/ada/rain", '["/home/ada/rain","/home/ada/wind"]'], "data.root")
    {'/home/ada/rain': 'rain', '["/home/ada/rain","/home/ada/wind"]': 'rain+wind'}
    """
    short = {value: _shorten_one(value, key) for value in values}
    return short if len(set(short.values())) == len(values) else {value: value for value in values}


def value_of(key: str, config: dict[str, Any], given: dict[str, str]) -> str:
    """A key's value in a run: as it was given, or as it came out where others were given it."""
    if key in given:
        return given[key]
    value: Any = config
    for part in key.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return make_printable(str(value.get("name", "?") if isinstance(value, dict) else value))


def _shorten_one(value: str, key: str) -> str:
    if _is_long_number(value):
        return f"{float(value):.3g}"
    return (name_roots(split_roots(value)) if key in _FOLDERS else Path(value).name) or value


def _is_long_number(text: str) -> bool:
    is_word, _, _ = order_value(text)
    return not is_word and len(text) > 6


def order_value(text: str) -> tuple[bool, float, str]:
    """Numbers in their order, before words in theirs."""
    try:
        return False, float(text), text
    except ValueError:
        return True, 0.0, text
