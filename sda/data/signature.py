"""File signatures: by what a file is known again without being decoded."""

import os
import time
import zlib
from pathlib import Path

CLOCK_TICK_NS = 20_000_000
"""File systems stamp changes by a clock of up to 10 ms; two changes within this may bear one stamp."""
_CHECKED_AT_ONCE = 1 << 22


def sign_file(path: str | os.PathLike[str]) -> list[int]:
    """What changes when a file's content does: size, times of change in ns, and inode.

    Empty where there is no file, or it changed so recently that another change might leave the same signature.
    """
    try:
        signature = read_signature(Path(path))
    except OSError:
        return []
    return signature if time.time_ns() - max(signature[1:3]) > CLOCK_TICK_NS else []


def read_signature(path: Path) -> list[int]:
    """Size, times of change in ns, and inode.

    Raises:
        OSError: there is no file.
    """
    facts = path.stat()
    return [facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns, facts.st_ino]


def checksum(path: Path) -> int:
    """CRC-32 of a file's bytes."""
    crc32 = 0
    with path.open("rb") as file:
        while data := file.read(_CHECKED_AT_ONCE):
            crc32 = zlib.crc32(data, crc32)
    return crc32
