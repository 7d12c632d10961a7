"""A lock on a folder itself, which stays whatever is removed inside it."""

import errno
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

if sys.platform != "win32":
    import fcntl

_HELD_ELSEWHERE = (errno.EAGAIN, errno.EACCES)
_POLL_S = 0.02


@contextmanager
def hold_folder(folder: Path, patience_s: float = 0.0) -> Iterator[bool]:
    """While entered, no other process holds the folder; gives whether that could be had.

    A system that locks no folders (Windows, some file systems of a network) counts as one where nobody holds it: there,
    a lock file inside has to do.

    Args:
        patience_s: how long to try.

    Raises:
        FileNotFoundError: there is no such folder, or it was removed meanwhile.
    """
    if sys.platform == "win32":
        yield True
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        deadline = time.monotonic() + patience_s
        while not (is_free := _try_to_hold(descriptor)) and time.monotonic() < deadline:
            time.sleep(_POLL_S)
        if not os.path.samestat(os.fstat(descriptor), folder.stat()):
            raise FileNotFoundError(errno.ENOENT, "was removed while it was being locked", str(folder))
        yield is_free
    finally:
        os.close(descriptor)


def _try_to_hold(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno not in _HELD_ELSEWHERE
    return True
