"""A lock on a folder itself, which stays whatever is removed inside it."""

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

if sys.platform != "win32":
    import fcntl

_HELD_ELSEWHERE = (errno.EAGAIN, errno.EACCES)


@contextmanager
def hold_folder(folder: Path) -> Iterator[bool]:
    """While entered, no other process holds the folder; gives whether that could be had.

    A system that locks no folders (Windows, some file systems of a network) counts as one where nobody holds it: there,
    a lock file inside has to do.

    Raises:
        FileNotFoundError: there is no such folder, or another took its place meanwhile.
    """
    if sys.platform == "win32":
        yield True
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        is_free = True
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            is_free = error.errno not in _HELD_ELSEWHERE
        if not os.path.samestat(os.fstat(descriptor), folder.stat()):
            raise FileNotFoundError(errno.ENOENT, "was removed while it was being locked", str(folder))
        yield is_free
    finally:
        os.close(descriptor)
