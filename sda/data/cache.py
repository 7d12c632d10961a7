"""Decoded sound on disk, outside the user's folder: waveforms mapped into memory, and what is known of each file.

A waveform is kept under the hash of its content, the rate, and the version of the way it is made; what was measured
of it is kept under its file's path and the rate, and holds as long as that file's size, times and inode do. All is
written under a temporary name and renamed, with a checksum; what does not match its checksum is dropped and made again.
Nothing here need be durable, so nothing waits for the disk. Files that do not bear the names that the cache gives are
somebody else's: they are neither counted nor removed.

The checksums tell of damage, not of malice: a folder that others can write to is not used.
"""

import hashlib
import json
import os
import re
import secrets
import stat
import time
import zlib
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import platformdirs
from numpy.typing import NDArray

from sda.audio.io import FloatArray
from sda.data.signature import checksum, read_signature
from sda.errors import CacheError
from sda.plain_files import list_named

VERSION = 4
"""Counts changes of how files are decoded, measured or stored; older entries are not used any more."""

ENVIRONMENT_VARIABLE = "SDA_CACHE_DIR"
DEFAULT_SAMPLE_RATE_HZ = 48000
DEFAULT_MAX_GB = 50.0
ABANDONED_AFTER_S = 86400.0
"""Temporary files older than this belong to no living process."""


_NOTES = re.compile(r"[0-9a-f]{64}-[0-9]+-v[0-9]+\.json")
"""Names of what is noted of waveforms, each of which lies beside its own as `.f32`."""
_SAMPLES = re.compile(r"[0-9a-f]{64}-[0-9]+-v[0-9]+\.f32")
_RECORDS = re.compile(r"[0-9a-f]{40}(?:-[0-9]+)?-v[0-9]+\.(?:json|bits)")
_DRAFTS = re.compile(r"\.[0-9a-f]{16}\.tmp")
"""Names of files that are being written."""


def default_cache_dir() -> Path:
    """`$SDA_CACHE_DIR`, or the system's folder for caches."""
    return Path(os.environ.get(ENVIRONMENT_VARIABLE) or platformdirs.user_cache_path("sda"))


class SoundCache:
    """Waveforms at one rate and the records of the files they came from.

    Args:
        folder: where to keep them; `default_cache_dir()` when empty.
        sample_rate_hz: rate of the waveforms, mono.
        max_gb: `trim` drops what was used longest ago above this, in units of 10⁹ bytes.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str] = "",
        sample_rate_hz: int = DEFAULT_SAMPLE_RATE_HZ,
        max_gb: float = DEFAULT_MAX_GB,
    ):
        self.folder = Path(folder).expanduser().absolute() if os.fspath(folder) else default_cache_dir().absolute()
        self.sample_rate_hz = sample_rate_hz
        self.max_gb = max_gb
        self._is_private = False

    def find_record(self, path: str) -> tuple[dict[str, Any], NDArray[np.uint64]] | None:
        """What was measured of a file and its acoustic fingerprint, if it has not changed since.

        Raises:
            CacheError: others can write to the cache.
        """
        self._see_that_it_is_private()
        place = self._record(path)
        try:
            record = json.loads(place.read_text(encoding="utf-8"))
            if record["path"] != path or record["signature"] != read_signature(Path(path)):
                return None
            data = place.with_suffix(".bits").read_bytes()
            if zlib.crc32(data) != record["crc32"]:
                return None
            return record["measured"], np.frombuffer(data, "<u8")
        except (OSError, ValueError, KeyError, TypeError):  # missing or damaged: measured again
            return None

    def keep_record(
        self, path: str, signature: list[int], measured: dict[str, Any], fingerprint: NDArray[np.uint64]
    ) -> None:
        """Remember what was measured of a file.

        Args:
            signature: `sign_file` from before the file was read, so that a change while reading is noticed later;
                an empty one is not kept.
        """
        if not signature:
            return
        data = fingerprint.astype("<u8").tobytes()
        values = {"path": path, "signature": signature, "crc32": zlib.crc32(data), "measured": measured}
        place = self._record(path)
        self._write(place.with_suffix(".bits"), data)
        self._write(place, json.dumps(values).encode())

    def record_waveform(self) -> "WaveformWriter":
        """Begin to write a waveform whose key is known only at its end.

        Raises:
            CacheError: the cache cannot be written, or others can write to it.
        """
        self._see_that_it_is_private()
        try:
            draft = self._waveforms / f".{secrets.token_hex(8)}.tmp"
            return WaveformWriter(self, draft, draft.open("wb"))
        except OSError as error:
            raise self._refuse(error) from error

    def open_waveform(self, key: str) -> FloatArray | None:
        """A waveform `[T]`, mapped: pages are read when they are touched, and changes stay in memory.

        Returns nothing where it is not there or damaged; then it has to be made again. The checksum is computed
        again only when the file on disk has been touched since it was last found sound.

        Raises:
            CacheError: others can write to the cache.
        """
        self._see_that_it_is_private()
        place = self._waveform(key)
        notes = place.with_suffix(".json")
        try:
            values = json.loads(notes.read_text(encoding="utf-8"))
            signature = read_signature(place)
            if signature != values["signature"]:
                if signature[0] != 4 * values["n_samples"] or checksum(place) != values["crc32"]:
                    return None
                self._write(notes, json.dumps({**values, "signature": signature}).encode())
            os.utime(notes)  # used now; the waveform's own times are its signature
            return np.memmap(place, dtype="<f4", mode="c", shape=(values["n_samples"],))
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def trim(self, keep: Collection[str] = ()) -> int:
        """Drop what was used longest ago until `max_gb` is kept to; waveforms in use by a process stay mapped.

        Args:
            keep: keys that are needed now and stay, whatever they take.

        Returns:
            bytes dropped.
        """
        kept_names = {self._waveform(key).name for key in keep}
        entries = []
        for notes in list_named(self._waveforms, _NOTES):
            place = notes.with_suffix(".f32")
            try:
                entries.append((notes.stat().st_mtime, place.stat().st_size, place))
            except OSError:
                notes.unlink(missing_ok=True)
        for draft in (path for folder in (self._waveforms, self._records) for path in list_named(folder, _DRAFTS)):
            if time.time() - draft.stat().st_mtime > ABANDONED_AFTER_S:
                draft.unlink(missing_ok=True)
        excess = sum(size for _, size, _ in entries) - self.max_gb * 1e9
        dropped = 0
        for _, size, place in sorted(entries):
            if dropped >= excess:
                break
            if place.name not in kept_names:
                place.with_suffix(".json").unlink(missing_ok=True)
                place.unlink(missing_ok=True)
                dropped += size
        return dropped

    def clear(self) -> None:
        """Remove everything that is cached, whatever its rate."""
        for folder in (self._waveforms, self._records):
            for path in list_named(folder, _NOTES, _SAMPLES, _RECORDS, _DRAFTS):
                path.unlink(missing_ok=True)
            with suppress(OSError):  # there is something else in it, or no such folder
                folder.rmdir()

    @property
    def folders(self) -> tuple[Path, ...]:
        """Where it writes; a link among them may lead elsewhere."""
        return self.folder, self._waveforms, self._records

    @property
    def _records(self) -> Path:
        return self.folder / "records"

    @property
    def _waveforms(self) -> Path:
        return self.folder / "waveforms"

    def _record(self, path: str) -> Path:
        return self._records / f"{hashlib.sha256(path.encode()).hexdigest()[:40]}-{self.sample_rate_hz}-v{VERSION}.json"

    def _waveform(self, key: str) -> Path:
        return self._waveforms / f"{key}-{self.sample_rate_hz}-v{VERSION}.f32"

    def _see_that_it_is_private(self) -> None:
        """Make the folders where they are missing, and refuse those that others can write to."""
        if self._is_private and self._waveforms.exists() and self._records.exists():
            return  # looked at before
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            for folder in self.folders:
                folder.mkdir(mode=0o700, exist_ok=True)
                self._refuse_shared(folder)
        except OSError as error:
            raise self._refuse(error) from error
        self._is_private = True

    def _refuse_shared(self, folder: Path) -> None:
        if os.name == "nt":  # access lists, which default to the user's own
            return
        facts = folder.stat()
        if facts.st_uid == os.geteuid() and not facts.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            return
        whose = "belongs to another user" if facts.st_uid != os.geteuid() else "can be written to by others"
        raise CacheError(
            f"data.cache_dir={self.folder}: {folder} {whose}, who could put other sound in the place of yours. Give a "
            f"folder of your own with data.cache_dir or ${ENVIRONMENT_VARIABLE}; or, if you trust what is in it: "
            f"chmod -R go-w '{self.folder}'"
        )

    def _write(self, place: Path, data: bytes) -> None:
        self._see_that_it_is_private()
        try:
            draft = place.with_name(f".{secrets.token_hex(8)}.tmp")
            draft.write_bytes(data)
            draft.replace(place)
        except OSError as error:
            raise self._refuse(error) from error

    def _refuse(self, error: OSError) -> CacheError:
        return CacheError(
            f"data.cache_dir={self.folder}: cannot be written ({error.strerror}). Decoded sound is kept there; make "
            f"room, or give another folder with data.cache_dir or ${ENVIRONMENT_VARIABLE}."
        )


class WaveformWriter:
    """A waveform on its way into the cache; `keep` puts it in place, `close` ends it."""

    def __init__(self, cache: SoundCache, draft: Path, file: BinaryIO):
        self._cache = cache
        self._draft = draft
        self._file = file
        self._crc32 = 0
        self._n_samples = 0

    def add(self, samples: FloatArray) -> None:
        """Append samples `[T]`.

        Raises:
            CacheError: the disk is full.
        """
        data = samples.astype("<f4", copy=False).tobytes()
        self._crc32 = zlib.crc32(data, self._crc32)
        self._n_samples += len(samples)
        try:
            self._file.write(data)
        except OSError as error:
            self.close()
            raise self._cache._refuse(error) from error

    def keep(self, key: str) -> None:
        """Put the whole waveform in place under its key.

        Raises:
            CacheError: the disk is full.
        """
        place = self._cache._waveform(key)
        try:
            self._file.close()
            self._draft.replace(place)
            values = {"n_samples": self._n_samples, "crc32": self._crc32, "signature": read_signature(place)}
        except OSError as error:
            self.close()
            raise self._cache._refuse(error) from error
        self._cache._write(place.with_suffix(".json"), json.dumps(values).encode())

    def close(self) -> None:
        """Leave nothing behind of what was not kept."""
        self._file.close()
        self._draft.unlink(missing_ok=True)
