"""The command line before Hydra reads it: folders with any name, `-v`, and `resume`."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sda.config.export import ExportConfig
from sda.config.play import PlayConfig
from sda.config.schema import ScanConfig
from sda.config.verbs import CompareConfig, EvaluateConfig, GenerateConfig
from sda.config_field import list_traits
from sda.places import expand
from sda.roots import join_roots, split_roots

_TRAITS = [
    item
    for schema in (ScanConfig, EvaluateConfig, GenerateConfig, CompareConfig, PlayConfig, ExportConfig)
    for item in list_traits(schema).items()
]
PATH_KEYS = frozenset(key for key, traits in _TRAITS if traits.is_path)
"""Keys of any verb whose value is always a path, a pattern or a plain name, never a Hydra expression."""

_FOLDER_KEYS = frozenset(key for key, traits in _TRAITS if traits.is_folder)
"""Keys of any verb whose value is a folder."""

_SEVERAL_KEYS = frozenset(key for key, traits in _TRAITS if traits.takes_several)
"""Keys of any verb whose value may be several folders."""

_COLON_KEYS = frozenset(key for key, traits in _TRAITS if traits.is_curve or traits.is_wanted)
"""Keys of any verb whose value may be written with colons, such as `0:0,4:1` or `brightness:0.9,pitch:0.2`."""

AUTOMATIC_BATCH = "training.batch_size=auto"
"""Leaves the batch size to the data and to memory, as leaving it out does."""

_UNCHOSEN = frozenset({"data=null", "experiment=null"})
"""What leaving them out says too; Hydra takes no `null` for the name of an option."""

_ASSIGNMENT = re.compile(r"(\+{0,2}[\w.@/]+)=(.*)", re.DOTALL)

_OUTSIDE_COMMA = re.compile(r",(?![^\[]*\])")
"""A comma that does not stand in brackets."""


def prepare_arguments(arguments: Sequence[str]) -> list[str]:
    """Quote what names a path or is a curve, so that Hydra's grammar does not trip over it, and spell out `-v`.

    A value with commas whose parts all exist, while the whole does not, stays a list to sweep over; several folders in
    brackets are one value. `auto` for the batch size is what it is anyway: a number that follows the chunks, in as many
    parts as memory turns out to need.

    >>> prepare_arguments(["data.root=/tmp/it's (old)", "-v", "training.max_epochs=3"])
    ["data.root='/tmp/it\\\\'s (old)'", 'verbose=true', 'training.max_epochs=3']
    >>> prepare_arguments(["data.root=[/piano,/rain]"])
    ['data.root=\\'["/piano","/rain"]\\'']
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
    if plain in _COLON_KEYS and ":" in value:
        return f"{key}={quote_value(value)}"  # its commas stand between points, not between values to sweep over
    if _exists(value):
        return f"{key}={quote_value(_expand(plain, value))}"
    if key not in ("run", "runs"):
        for parts in (value.split(","), _OUTSIDE_COMMA.split(value)):
            if len(parts) > 1 and all(_may_be_swept(plain, part) for part in parts):
                return f"{key}={','.join(quote_value(_expand(plain, part)) for part in parts)}"
    return f"{key}={quote_value(_expand(plain, value))}" if plain in PATH_KEYS else argument


def quote_value(value: str) -> str:
    """A value as Hydra's grammar takes any text, and OmegaConf does not read as an interpolation.

    >>> quote_value("it's")
    "'it\\\\'s'"
    """
    escaped = re.sub(r"\\+(?=')|\\+$", lambda match: match.group() * 2, value).replace("'", "\\'")
    return "'" + escaped.replace("${", "\\${") + "'"


def write_argument(key: str, value: Any) -> str:
    """A key with a value of Python's, as it would be given on the command line and prepared.

    >>> write_argument("training.max_epochs", 3), write_argument("preset", "conservative"), write_argument("seed", None)
    ('training.max_epochs=3', "preset='conservative'", 'seed=null')
    >>> write_argument("sweep.resume", False), write_argument("data.root", "/a,b")
    ('sweep.resume=false', "data.root='/a,b'")
    >>> write_argument("data.root", ["/a,b", "/c"])
    'data.root=\\'["/a,b","/c"]\\''
    """
    return f"{key}={_write_value(key.lstrip('+'), value)}"


def _write_value(key: str, value: Any) -> str:
    if value is None or isinstance(value, bool):
        return "null" if value is None else str(value).lower()
    if isinstance(value, list | tuple) and key in _SEVERAL_KEYS:
        return quote_value(_join_absolute([str(one) for one in value]))
    if isinstance(value, list | tuple):
        return f"[{','.join(_write_value(key, item) for item in value)}]"
    if isinstance(value, int | float):
        return repr(value)
    return quote_value(_expand(key, value))


def _may_be_swept(key: str, part: str) -> bool:
    """Whether what stands between two commas is there: a path, or the folders that a key is given."""
    if key not in _FOLDER_KEYS:
        return _exists(part)
    folders = split_roots(part) if key in _SEVERAL_KEYS else [part]
    return bool(folders) and all(folder and _is_folder(folder) for folder in folders)


def _exists(value: str) -> bool:
    if "/" not in value and "\\" not in value:
        return False  # a bare word is a value, even where a file happens to share its name
    try:
        return expand(value).exists()
    except (OSError, ValueError):
        return False


def _is_folder(value: str) -> bool:
    try:
        return expand(value).is_dir()
    except (OSError, ValueError):
        return False


def _expand(key: str, value: str) -> str:
    """A path as a key is given it: folders are the same from wherever one stands."""
    if key in _SEVERAL_KEYS:
        return _join_absolute(split_roots(value))
    if key in _FOLDER_KEYS:
        return _make_absolute(value)
    return str(expand(value)) if value.startswith("~") else value


def _join_absolute(folders: Sequence[str]) -> str:
    """Folders in one order whatever the given one was, unless one has no name, which is told where it stands."""
    absolute = [_make_absolute(folder) for folder in folders]
    return join_roots(sorted(absolute) if all(absolute) else absolute)


def _make_absolute(value: str) -> str:
    return str(expand(value).absolute()) if value else ""
