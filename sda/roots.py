"""Folders of sounds: one, or several that are written as one text, such as `[~/piano,~/rain]`.

Commas separate them. A name that holds a comma, or begins or ends with a space, is written as a string of JSON:
`["/sounds/wind, old",/sounds/rain]`. A folder whose own name is `[a,b]` is one folder. Settled, one folder is its
absolute path, and several are a JSON list of absolute paths in an order of their own.
"""

import json
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from sda.errors import ConfigError, DataError
from sda.places import expand, lies_in

Folder = str | os.PathLike[str]

MOST_NAMED = 3
"""Folders that are all named; of more, the first two are, and how many there are beside."""

_ENTRY = re.compile(r'\s*("(?:[^"\\]|\\.)*")\s*,|([^,]*),', re.DOTALL)
"""What stands before a comma: a string of JSON, or anything else."""


def split_roots(text: str) -> list[str]:
    """The folders that a text names, as they stand there; one of no name between two commas too.

    >>> split_roots("~/piano"), split_roots("[~/piano, ~/rain]"), split_roots('["/a,b","/c"]'), split_roots("")
    (['~/piano'], ['~/piano', '~/rain'], ['/a,b', '/c'], [])
    >>> split_roots("[/a,,/b]"), split_roots('["/a,b",/c [x]]'), split_roots("[]")
    (['/a', '', '/b'], ['/a,b', '/c [x]'], [])
    """
    if not (text.startswith("[") and text.endswith("]")) or _is_there(text):
        return [text] if text else []
    inner = text[1:-1].strip()
    entries = _ENTRY.finditer(f"{inner},") if inner else ()
    return [_read_string(entry[1]) if entry[1] else entry[2].strip() for entry in entries]


def join_roots(folders: Sequence[Folder]) -> str:
    """Folders as one text, which `split_roots` takes apart again.

    >>> join_roots(["/a, b"]), join_roots(["/é, b", "/c"])
    ('/a, b', '["/é, b","/c"]')
    """
    names = [os.fspath(folder) for folder in folders]
    if len(names) < 2 and not "".join(names).startswith("["):
        return "".join(names)
    return json.dumps(names, ensure_ascii=False, separators=(",", ":"))


def find_roots(given: Sequence[Folder]) -> list[Path]:
    """The folders of sounds as absolute paths.

    Of several, one that lies inside another is left out, as its sounds are found there, and so is one that is given
    twice; their order does not matter.

    Raises:
        DataError: none is given; or one has no name, is missing or is no folder.
    """
    names = [os.fspath(folder) for folder in given]
    if not any(names):
        raise DataError("data.root= is empty. Give the folder that holds your sounds.")
    if not all(names):
        raise DataError(
            f"data.root=[{','.join(names)}]: folder {names.index('') + 1} of {len(names)} has no name. Give it one, or "
            "take out the comma."
        )
    folders = [_find_root(name) for name in names]
    if len(folders) == 1:
        return folders
    straight = [folder.resolve() if ".." in folder.parts else folder for folder in folders]
    kept: list[Path] = []
    for folder in sorted(straight, key=lambda one: (len(one.resolve().parts), str(one))):  # an outer one comes first
        if not any(lies_in(folder, other) for other in kept):
            kept.append(folder)
    try:
        find_base(kept)
    except ValueError as error:
        raise DataError(f"data.root={join_roots(kept)}: they lie on different drives. Give folders of one.") from error
    return sorted(kept, key=str)


def settle_roots(text: str) -> str:
    """The same folders as they are kept: whatever their order and spelling was, from wherever one stands.

    Raises:
        DataError: as `find_roots`.
    """
    return join_roots(find_roots(split_roots(text)))


def find_base(folders: Sequence[Folder]) -> Path:
    """The folder that names of files are shown below: the one, or the deepest that holds them all.

    >>> find_base(["/home/a/piano", "/home/a/rain/wet"]).as_posix()
    '/home/a'
    """
    if len(folders) < 2:
        return Path(*map(expand, folders))
    return Path(os.path.commonpath([expand(folder).absolute() for folder in folders]))


def describe_roots(folders: Sequence[Folder]) -> str:
    """Folders in words.

    >>> describe_roots(["/a"]), describe_roots(["/a", "/b"]), describe_roots(["/a", "/b", "/c", "/d"])
    ('/a', '/a and /b', '/a, /b and 2 more folders')
    """
    names = [os.fspath(folder) for folder in folders]
    if len(names) > MOST_NAMED:
        n_named = MOST_NAMED - 1
        names = [*names[:n_named], f"{len(names) - n_named} more folders"]
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def name_roots(folders: Sequence[Folder]) -> str:
    """What folders are called where there is little room.

    >>> name_roots(["/home/a/rain"]), name_roots(["/a/piano", "/a/rain"]), name_roots(["/a", "/b", "/c", "/d"])
    ('rain', 'piano+rain', 'a+b+2')
    """
    names = [Path(folder).name or os.fspath(folder) for folder in folders]
    if len(names) > MOST_NAMED:
        n_named = MOST_NAMED - 1
        names = [*names[:n_named], str(len(names) - n_named)]
    return "+".join(names)


def keep_out_of(root: str, places: Mapping[str, Path]) -> None:
    """Refuse to write below the user's sounds, whatever links lead there.

    Args:
        root: the folder, or several as one text.
        places: by the key that they were given as.

    Raises:
        ConfigError: one lies there.
    """
    for key, place in places.items():
        for folder in filter(None, split_roots(root)):
            if lies_in(place, expand(folder)):
                raise ConfigError(
                    f"{key}={place} lies inside data.root={folder}, which is never written to. "
                    f"Start from another folder, or give {key}."
                )


def _find_root(name: str) -> Path:
    folder = expand(name).absolute()
    if not folder.exists():
        raise DataError(f"data.root={name}: there is no such folder. Give the folder that holds your sounds.")
    if not folder.is_dir():
        raise DataError(f"data.root={name}: is a file. Give the folder that holds your sounds.")
    return folder


def _is_there(text: str) -> bool:
    try:
        return expand(text).exists()
    except (OSError, ValueError):  # it is too long for a name, or none
        return False


def _read_string(token: str) -> str:
    """A string of JSON; what only looks like one is taken as it stands."""
    try:
        return str(json.loads(token, strict=False))
    except ValueError:
        return token
