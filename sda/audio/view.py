"""A part of a file, or several, read as if it were a file of its own: nothing is copied, whatever the length."""

import bisect
import itertools
import os
from typing import BinaryIO

Piece = bytes | tuple[int, int]
"""Bytes that are not in the file, such as a header that is right; or where bytes of the file begin and how many."""

Pieces = tuple[Piece, ...]


class View:
    """Pieces of an open file as libsndfile reads a file, through soundfile.

    Nothing here raises, because it is called out of C: an error of the disk ends the view early, and stays in `error`.
    """

    def __init__(self, file: BinaryIO, pieces: Pieces):
        self.error: OSError | None = None
        self._file = file
        self._pieces = pieces
        self._ends = list(itertools.accumulate(_count_bytes(piece) for piece in pieces))
        self._position = 0

    def __repr__(self) -> str:  # libsndfile's errors name what was opened
        return repr(getattr(self._file, "name", "file"))

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    def tell(self) -> int:
        """Where the next byte is read."""
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to a place; one before the beginning is the beginning."""
        origin = {os.SEEK_SET: 0, os.SEEK_CUR: self._position}.get(whence, len(self))
        self._position = max(0, origin + offset)
        return self._position

    def read(self, n_bytes: int = -1) -> bytes:
        """The next bytes, fewer only where the view ends."""
        found = []
        wanted = len(self) - self._position if n_bytes < 0 else n_bytes
        while wanted > 0 and self._position < len(self):
            index = bisect.bisect_right(self._ends, self._position)
            piece = self._pieces[index]
            within = self._position - (self._ends[index] - _count_bytes(piece))
            taken = piece[within : within + wanted] if isinstance(piece, bytes) else self._fetch(piece, within, wanted)
            if not taken:  # the file has become shorter, or the disk has failed
                break
            found.append(taken)
            self._position += len(taken)
            wanted -= len(taken)
        return b"".join(found)

    def write(self, data: bytes) -> int:
        """Nothing: a view is read."""
        return 0

    def _fetch(self, piece: tuple[int, int], within: int, wanted: int) -> bytes:
        start, n_bytes = piece
        try:
            self._file.seek(start + within)
            return self._file.read(min(wanted, n_bytes - within))
        except OSError as error:
            self.error = error
            return b""


def _count_bytes(piece: Piece) -> int:
    return len(piece) if isinstance(piece, bytes) else piece[1]
