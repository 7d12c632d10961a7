"""Ids of what the page asks for: looked up in a list of what is there, and never made into anything else."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

Found = TypeVar("Found")


class UnknownError(Exception):
    """There is nothing of this id."""


def make_id(path: Path) -> str:
    """A name for a file that is the same after a restart, and from which nothing is learned of where it lies."""
    return hashlib.sha256(str(path).encode("utf-8", "surrogateescape")).hexdigest()[:16]


def look_up(known: Mapping[str, Found], key: str, kind: str) -> Found:
    """What has this id.

    Args:
        kind: what it is, for the error.

    Raises:
        UnknownError: nothing has.
    """
    try:
        return known[key]
    except KeyError:
        raise UnknownError(f"There is no such {kind}: it may have been removed. Load the page again.") from None
