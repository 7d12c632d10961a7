"""The command line before Hydra reads it: folders with any name, `-v`, and `resume`."""

import re
from collections.abc import Sequence
from pathlib import Path

from sda.config.export import ExportConfig
from sda.config.play import PlayConfig
from sda.config.schema import ScanConfig
from sda.config.verbs import CompareConfig, EvaluateConfig, GenerateConfig
from sda.config_field import list_traits

_TRAITS = [
    item
    for schema in (ScanConfig, EvaluateConfig, GenerateConfig, CompareConfig, PlayConfig, ExportConfig)
    for item in list_traits(schema).items()
]
PATH_KEYS = frozenset(key for key, traits in _TRAITS if traits.is_path)
"""Keys of any verb whose value is always a path, a pattern or a plain name, never a Hydra expression."""

_FOLDER_KEYS = frozenset(key for key, traits in _TRAITS if traits.is_folder)
"""Keys of any verb whose value is a folder."""

_CURVE_KEYS = frozenset(key for key, traits in _TRAITS if traits.is_curve)
"""Keys of any verb whose value may be a curve, such as `0:0,4:1`."""

AUTOMATIC_BATCH = "training.batch_size=auto"
"""Leaves the batch size to the data and to memory, as leaving it out does."""

_UNCHOSEN = frozenset({"data=null", "experiment=null"})
"""What leaving them out says too; Hydra takes no `null` for the name of an option."""

_ASSIGNMENT = re.compile(r"(\+{0,2}[\w.@/]+)=(.*)", re.DOTALL)


def prepare_arguments(arguments: Sequence[str]) -> list[str]:
    """Quote what names a path or is a curve, so that Hydra's grammar does not trip over it, and spell out `-v`.

    A value with commas whose parts all exist, while the whole does not, stays a list to sweep over. `auto` for the
    batch size is what it is anyway: a number that follows the chunks, in as many parts as memory turns out to need.

    >>> prepare_arguments(["data.root=/tmp/it's (old)", "-v", "training.max_epochs=3"])
    ["data.root='/tmp/it\\\\'s (old)'", 'verbose=true', 'training.max_epochs=3']
    """
    given = [argument for argument in arguments if argument != AUTOMATIC_BATCH and argument not in _UNCHOSEN]
    return ["verbose=true" if argument == "-v" else _quote_text(argument) for argument in given]


def add_overrides(arguments: list[str], *added: str) -> None:
    """Put overrides behind those that are given; behind a flag such as `-m` they would not be understood.

    >>> given = ["seed=0,1", "-m"]
    >>> add_overrides(given, "verbose=true")
    >>> given
    ['seed=0,1', 'verbose=true', '-m']
    """
    places = [place for place, argument in enumerate(arguments) if re.match(r"~|[\w+][^=]*=", argument)]
    end = places[-1] + 1 if places else len(arguments)
    arguments[end:end] = added


def find_value(arguments: Sequence[str], key: str) -> str | None:
    """The value that a key is given, or `None`; the last one where it is given twice.

    >>> find_value(["resume=last"], "resume")
    'last'
    """
    values = [argument.partition("=")[2] for argument in arguments if argument.lstrip("+").startswith(f"{key}=")]
    return values[-1] if values else None


def split_names(text: str) -> list[str]:
    """Several runs in one value, with commas; a folder whose own name has commas is one.

    >>> split_names("[last, 3f2a]"), split_names("")
    (['last', '3f2a'], [])
    """
    if Path(text).exists() and text:
        return [text]
    return [name.strip() for name in text.strip("[]").split(",") if name.strip()]


def _quote_text(argument: str) -> str:
    match = _ASSIGNMENT.fullmatch(argument)
    if match is None:
        return argument
    key, value = match.groups()
    if not value or value[0] in "'\"" or value.startswith("${") or value == "null":
        return argument
    plain = key.lstrip("+")
    if plain in _CURVE_KEYS and ":" in value:
        return f"{key}={quote_value(value)}"  # its commas stand between points, not between values to sweep over
    expand = _make_absolute if plain in _FOLDER_KEYS else _expand
    if _exists(value):
        return f"{key}={quote_value(expand(value))}"
    parts = value.split(",")
    are_there = all(Path(expand(part)).is_dir() if plain in _FOLDER_KEYS else _exists(part) for part in parts)
    if len(parts) > 1 and are_there and key not in ("run", "runs"):
        return f"{key}={','.join(quote_value(expand(part)) for part in parts)}"
    return f"{key}={quote_value(expand(value))}" if plain in PATH_KEYS else argument


def quote_value(value: str) -> str:
    """A value as Hydra's grammar takes any text, and OmegaConf does not read as an interpolation.

    >>> quote_value("it's")
    "'it\\\\'s'"
    """
    escaped = re.sub(r"\\+(?=')|\\+$", lambda match: match.group() * 2, value).replace("'", "\\'")
    return "'" + escaped.replace("${", "\\${") + "'"


def _exists(value: str) -> bool:
    if "/" not in value and "\\" not in value:
        return False  # a bare word is a value, even where a file happens to share its name
    try:
        return Path(_expand(value)).exists()
    except (OSError, ValueError):
        return False


def _make_absolute(value: str) -> str:
    return str(Path(value).expanduser().absolute())


def _expand(value: str) -> str:
    return str(Path(value).expanduser()) if value.startswith("~") else value
