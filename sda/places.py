"""Paths: `~` expanded, and whether one place lies in another, through links and however a file system spells names."""

import os
from pathlib import Path


def expand(path: str | os.PathLike[str]) -> Path:
    """A path with the home that its `~` stands for; as it is where nobody has that name.

    >>> expand("~no such user/sounds").as_posix(), expand("a/~").as_posix()
    ('~no such user/sounds', 'a/~')
    """
    try:
        return Path(path).expanduser()
    except RuntimeError:
        return Path(path)


def lies_in(place: Path, folder: Path) -> bool:
    """Whether a place, which may not exist yet, is a folder or inside it.

    >>> lies_in(Path("sounds/runs"), Path("sounds")), lies_in(Path("sounds"), Path("sounds/runs"))
    (True, False)
    """
    place, folder = place.resolve(), folder.resolve()
    return any(one == folder or _is_same(one, folder) for one in (place, *place.parents))


def _is_same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:  # one of them is not there
        return False
