"""Plain files in a folder that somebody else may have filled: no links, no devices, no pipes, nothing without end.

A run's folder may come from anybody. What is read there is opened without following a link and only if it is a regular
file, and before anything is written into it, or it is read as a whole, all of it is looked through.
"""

import errno
import json
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, cast

MOST_JSON_BYTES = 1 << 28
"""Size beyond which a JSON file is not read; the manifest of half a million files has a third of it."""


def open_plain(path: Path, flags: int = os.O_RDONLY, buffering: int = -1) -> BinaryIO:
    """Open a regular file without following a link in its place and without waiting for a pipe.

    Args:
        flags: as `os.open` takes them.
        buffering: as `open` takes it.

    Raises:
        OSError: it is a link, no regular file, missing, or may not be opened.
    """
    # Windows has neither of the three; there a link takes rights to make.
    special = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)
    try:
        descriptor = os.open(path, flags | special | getattr(os, "O_BINARY", 0), 0o666)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise OSError(errno.ELOOP, "is a symbolic link, which is not followed here", str(path)) from error
        if error.errno == errno.ENXIO:  # a pipe that nobody reads
            raise OSError(errno.EINVAL, "is not a regular file", str(path)) from error
        raise
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "is not a regular file", str(path))
    mode = {os.O_RDONLY: "rb", os.O_WRONLY: "wb", os.O_RDWR: "r+b"}[flags & (os.O_WRONLY | os.O_RDWR)]
    return cast(BinaryIO, os.fdopen(descriptor, mode, buffering=buffering))


def open_to_append(path: Path) -> BinaryIO:
    """Open a regular file for appending, unbuffered, made where it is missing; see `open_plain`."""
    return open_plain(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, buffering=0)


def truncate(path: Path, n_bytes: int) -> None:
    """Cut off what a regular file holds beyond `n_bytes`.

    Raises:
        OSError: as `open_plain`.
    """
    with open_plain(path, os.O_RDWR) as file:
        file.truncate(n_bytes)


def read_plain(path: Path, most_bytes: int = MOST_JSON_BYTES) -> bytes:
    """A regular file's content.

    Raises:
        OSError: as `open_plain`; or it is larger than `most_bytes`.
    """
    with open_plain(path) as file:
        if os.fstat(file.fileno()).st_size > most_bytes:
            raise OSError(errno.EFBIG, f"is larger than the {most_bytes >> 20} MB that are read of it", str(path))
        return file.read()


def read_json(path: Path, most_bytes: int = MOST_JSON_BYTES) -> Any:
    """What a JSON file says.

    Raises:
        OSError: as `read_plain`.
        ValueError: it is no JSON, or nested too deeply to be any of ours.
    """
    try:
        return json.loads(read_plain(path, most_bytes).decode("utf-8"))
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def find_strange(folder: Path) -> str:
    """What in a folder is neither a plain file nor a folder, in words; empty where there is nothing of the kind.

    The folder itself may be a link: who named it wanted it.
    """
    for entry in _walk(folder):
        if entry.is_symlink():
            return f"{entry.path} is a symbolic link"
        if not entry.is_dir() and not entry.is_file():
            return f"{entry.path} is no regular file"
    return ""


def _walk(folder: Path) -> Iterator[os.DirEntry[str]]:
    """Everything below a folder, links told and not followed."""
    waiting = [os.fspath(folder)]
    while waiting:
        with os.scandir(waiting.pop()) as entries:
            for entry in entries:
                yield entry
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(entry.path)


def list_named(folder: Path, *patterns: re.Pattern[str]) -> list[Path]:
    """Files of a folder that bear such names; links are not followed."""
    try:
        with os.scandir(folder) as entries:
            return [
                Path(entry.path)
                for entry in entries
                if entry.is_file(follow_symlinks=False) and any(pattern.fullmatch(entry.name) for pattern in patterns)
            ]
    except FileNotFoundError:
        return []
