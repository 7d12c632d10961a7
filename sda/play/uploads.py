"""Sounds that a person gives to the page: in a private folder, for as long as the page is served."""

import re
import secrets
import shutil
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from sda.audio.io import SUPPORTED_SUFFIXES, get_metadata
from sda.errors import DataError
from sda.play.lookup import look_up
from sda.play.security import MOST_UPLOAD_BYTES

LONGEST_S = 600.0
"""Of a sound that is given."""
MOST_UPLOADS = 32
_UNSAFE = re.compile(r"[^\w.\- ()]")


@dataclass(frozen=True)
class Upload:
    """A sound that was given."""

    name: str
    path: Path
    duration_s: float


class Uploads:
    """The sounds that were given, by ids that nobody can guess; `close` removes all of them."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="sda-play-"))  # readable by its owner alone
        self._known: dict[str, Upload] = {}

    def __getitem__(self, key: str) -> Upload:
        return look_up(self._known, key, "sound")

    def __contains__(self, key: object) -> bool:
        return key in self._known

    def items(self) -> list[tuple[str, Upload]]:
        """Every id with its sound, the oldest first."""
        return list(self._known.items())

    async def add(self, name: str, content: AsyncIterator[bytes]) -> str:
        """Take a sound as it comes in; its id.

        Raises:
            DataError: it is no sound, is too long, or there are too many.
        """
        if len(self._known) >= MOST_UPLOADS:
            raise DataError(f"{MOST_UPLOADS} sounds were given already: remove one of them.")
        if Path(name).suffix.lower() not in SUPPORTED_SUFFIXES:
            kinds = ", ".join(sorted(suffix.removeprefix(".") for suffix in SUPPORTED_SUFFIXES))
            raise DataError(f"{name}: such files cannot be read. Give one of {kinds}.")
        key = secrets.token_hex(8)
        path = self._folder / key / make_safe(name)
        path.parent.mkdir()
        try:
            with open(path, "xb") as file:
                async for block in content:
                    file.write(block)
            self._known[key] = Upload(path.name, path, _measure(path))
        except BaseException:
            shutil.rmtree(path.parent)
            raise
        return key

    def remove(self, key: str) -> None:
        """Remove a sound."""
        shutil.rmtree(self[key].path.parent)
        del self._known[key]

    def pair(self, first: Path, second: Path) -> Path:
        """A folder that holds two sounds, in this order, for what is made of two."""
        folder = self._folder / secrets.token_hex(8)
        folder.mkdir()
        for number, path in enumerate((first, second), start=1):
            (folder / f"{number} {path.name}").symlink_to(path)
        return folder

    def close(self) -> None:
        """Remove everything."""
        shutil.rmtree(self._folder, ignore_errors=True)


def make_safe(name: str) -> str:
    """A name for a file, of letters, digits and a few signs, with its ending.

    >>> make_safe("../../etc/voice.wav"), make_safe("C:\\\\a b\\\\.wav")
    ('voice.wav', 'sound.wav')
    """
    last = _UNSAFE.sub("_", re.split(r"[/\\]", name)[-1])
    stem, dot, suffix = last.rpartition(".")
    return f"{stem.strip('. ')[:80] or 'sound'}{dot}{suffix[:8]}"


def _measure(path: Path) -> float:
    try:
        duration_s = get_metadata(path).duration_s
    except DataError as error:
        raise DataError(str(error).replace(str(path), path.name)) from error
    if duration_s > LONGEST_S:
        raise DataError(
            f"{path.name} is {duration_s:.0f} s long: up to {LONGEST_S:g} s and {MOST_UPLOAD_BYTES >> 20} MB are "
            "taken. Cut it."
        )
    return duration_s
