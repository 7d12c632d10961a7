"""Path containment: whether one place lies in another, through links and however a file system spells names."""

from pathlib import Path


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
