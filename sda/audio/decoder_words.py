"""Keeping the decoder's own lines off the console: mpg123, inside libsndfile, writes warnings that name no file."""

import contextlib
import ctypes
import os
import sys
import threading
from collections.abc import Iterator


class _StandardError:
    """C's variable `stderr`, and how many ask at the moment that it leads nowhere.

    Not file descriptor 2: other threads and Python write there, and progress asks it whether it is a terminal.
    """

    def __init__(self, symbol: str):
        libc = ctypes.CDLL(None)
        libc.fopen.restype = ctypes.c_void_p
        self._variable = ctypes.c_void_p.in_dll(libc, symbol)
        self._nowhere: int | None = libc.fopen(os.devnull.encode(), b"w")
        self._kept: int | None = None
        self._n_inside = 0
        self._lock = threading.Lock()
        os.register_at_fork(before=self._lock.acquire, after_in_parent=self._lock.release, after_in_child=self._begin)

    def turn_away(self) -> None:
        with self._lock:
            if self._n_inside == 0 and self._nowhere:
                self._kept, self._variable.value = self._variable.value, self._nowhere
            self._n_inside += 1

    def turn_back(self) -> None:
        with self._lock:
            self._n_inside -= 1
            if self._n_inside == 0 and self._nowhere:
                self._variable.value = self._kept

    def _begin(self) -> None:
        """In a forked child: the threads that asked do not go on there."""
        if self._n_inside and self._nowhere:
            self._variable.value = self._kept
        self._n_inside = 0
        self._lock.release()


def _find_standard_error() -> _StandardError | None:
    """The variable where it may be set: in glibc and on macOS. Elsewhere the lines stay."""
    try:
        if sys.platform == "darwin":
            return _StandardError("__stderrp")
        return _StandardError("stderr") if os.confstr("CS_GNU_LIBC_VERSION") else None
    except (AttributeError, OSError, TypeError, ValueError):
        return None


_standard_error = _find_standard_error()


@contextlib.contextmanager
def no_decoder_words() -> Iterator[None]:
    """Within, what C code writes to `stderr` goes nowhere; what Python writes there is seen."""
    if _standard_error is None:
        yield
        return
    _standard_error.turn_away()
    try:
        yield
    finally:
        _standard_error.turn_back()
