"""What is in a folder, and what of it is usable: every file is decoded once, and bad ones are left out by name."""

import hashlib
import math
import os
import struct
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sda.audio.io import SUPPORTED_SUFFIXES, get_metadata, read_blocks
from sda.errors import DataError

RUN_FOLDER_MARK = ".hydra"
"""A folder that holds this is a run's own output and never data."""

TRACKING_FOLDERS = frozenset({"mlruns", "mlartifacts"})
"""Folders that MLflow fills with copies of a run's sounds."""


@dataclass(frozen=True)
class ScannedFile:
    """One entry of the folder, usable or quarantined."""

    path: str
    """Absolute path."""
    reason: str = ""
    """Why it is left out; empty for a usable file."""
    sha256: str = ""
    """Hash of the decoded samples: equal for the same sound in two lossless formats."""
    n_frames: int = 0
    sample_rate_hz: int = 0
    n_channels: int = 0
    peak: float = 0.0
    """Largest absolute sample; full scale is 1."""

    @property
    def usable(self) -> bool:
        """Whether the file can be trained on."""
        return not self.reason

    @property
    def duration_s(self) -> float:
        """Length in seconds; 0 where the file could not be read."""
        return self.n_frames / self.sample_rate_hz if self.sample_rate_hz else 0.0


@dataclass(frozen=True)
class Scan:
    """A folder's files in the order of their paths."""

    root: str
    files: tuple[ScannedFile, ...]

    @property
    def usable(self) -> list[ScannedFile]:
        """The files to train on."""
        return [file for file in self.files if file.usable]

    @property
    def quarantined(self) -> list[ScannedFile]:
        """The files left out, each with its reason."""
        return [file for file in self.files if not file.usable]

    @property
    def file_count(self) -> int:
        """Number of usable files."""
        return len(self.usable)

    @property
    def fingerprint(self) -> str:
        """SHA-256 over the decoded sounds of all usable files, whatever their names."""
        return hashlib.sha256("\n".join(sorted(file.sha256 for file in self.usable)).encode()).hexdigest()

    def count_chunks(self, chunk_duration_s: float) -> int:
        """Chunks in all usable files, the last of each counted whole."""
        return sum(math.ceil(file.n_frames / (chunk_duration_s * file.sample_rate_hz)) for file in self.usable)


def scan_folder(root: str | os.PathLike[str], min_duration_s: float = 0.1, silence_dbfs: float = -80.0) -> Scan:
    """Look at every file below `root`, decoding each sound from end to end.

    Args:
        root: the folder; `~` is expanded. Nothing is written into it.
        min_duration_s: files shorter than this are quarantined.
        silence_dbfs: files whose peak stays below this are quarantined as silent.

    Raises:
        DataError: the folder is missing, is no folder, or holds no usable sound.
    """
    folder = Path(root).expanduser().absolute()
    if not folder.exists():
        raise DataError(f"data.root={root}: there is no such folder. Give the folder that holds your sounds.")
    if not folder.is_dir():
        raise DataError(f"data.root={root}: is a file. Give the folder that holds your sounds.")
    entries = list(_walk(folder))
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        files = pool.map(
            lambda entry: entry if entry.reason else scan_file(entry.path, min_duration_s, silence_dbfs), entries
        )
        scan = Scan(str(folder), tuple(files))
    if not scan.usable:
        found = "; ".join(f"{Path(file.path).name}: {file.reason}" for file in scan.quarantined[:5]) or "it is empty"
        raise DataError(
            f"data.root={root}: no usable sound file ({found}). Supported: {', '.join(sorted(SUPPORTED_SUFFIXES))}."
        )
    return scan


def scan_file(path: str | os.PathLike[str], min_duration_s: float = 0.1, silence_dbfs: float = -80.0) -> ScannedFile:
    """Decode one file from end to end and judge it; memory stays bounded whatever its length."""
    name = os.fspath(path)
    try:
        metadata = get_metadata(path)
        digest = hashlib.sha256(struct.pack("<ii", metadata.sample_rate_hz, metadata.n_channels))
        n_frames, peak = 0, 0.0
        for block in read_blocks(path):
            if not np.isfinite(block).all():
                return ScannedFile(name, reason="holds NaN or infinite samples; re-export it")
            digest.update(block.tobytes())
            n_frames += len(block)
            peak = max(peak, float(np.abs(block).max()))
    except DataError as error:
        return ScannedFile(name, reason=f"unreadable: {error.__cause__}")
    reason = ""
    if n_frames == 0:
        reason = "empty: it holds no samples"
    elif n_frames < metadata.n_frames or _is_cut_short(path):
        reason = f"truncated: only {n_frames / metadata.sample_rate_hz:.2f} s can be decoded; copy or export it again"
    elif n_frames / metadata.sample_rate_hz < min_duration_s:
        reason = f"too short to use: under {min_duration_s:g} s (data.min_duration_s)"
    elif peak < 10 ** (silence_dbfs / 20):
        reason = f"silent: it never exceeds {silence_dbfs:g} dBFS (data.silence_dbfs)"
    return ScannedFile(name, reason, digest.hexdigest(), n_frames, metadata.sample_rate_hz, metadata.n_channels, peak)


def _walk(folder: Path) -> Iterator[ScannedFile]:
    """Every file below a folder in a fixed order; those that need not be decoded already have a reason."""
    seen = {os.path.realpath(folder)}
    for current, folders, names in os.walk(folder, followlinks=True):
        here = Path(current)
        kept = []
        for name in sorted(folders):
            inner = here / name
            target = os.path.realpath(inner)
            if name.startswith("."):
                yield ScannedFile(str(inner), reason="hidden folder")
            elif (inner / RUN_FOLDER_MARK).is_dir() or name in TRACKING_FOLDERS:
                yield ScannedFile(str(inner), reason="inside a run folder: output of sda, not data")
            elif target not in seen:
                seen.add(target)
                kept.append(name)
        folders[:] = kept
        for name in sorted(names):
            yield ScannedFile(_printable(here / name), reason=_refuse_unread(here / name))


def _refuse_unread(path: Path) -> str:
    """The reason to leave a file out without opening it; empty when it is worth decoding."""
    if path.name.startswith("."):
        return "hidden file"
    if _printable(path) != str(path):
        return "its name is not valid UTF-8; rename it"
    if not path.is_file():
        return "unreadable: not a regular file" if path.exists() else "unreadable: a link that leads nowhere"
    if path.suffix.lower() not in SUPPORTED_SUFFIXES:
        return f"unsupported format {path.suffix or 'without a suffix'}; convert it to WAV or FLAC"
    if path.stat().st_size == 0:
        return "empty: the file has no bytes"
    return ""


def _printable(path: Path) -> str:
    """The path as text that can be written anywhere; a name that is no UTF-8 gets a sign in place of what is not."""
    return os.fsencode(path).decode("utf-8", "replace")


def _is_cut_short(path: str | os.PathLike[str]) -> bool:
    """Whether a RIFF or FORM file is shorter than its header says; libsndfile reads such a file without a word."""
    with open(path, "rb") as file:
        header = file.read(8)
        n_bytes = os.fstat(file.fileno()).st_size
    if header[:4] == b"RIFF":
        announced = int.from_bytes(header[4:], "little")
    elif header[:4] == b"FORM":
        announced = int.from_bytes(header[4:], "big")
    else:
        return False
    streamed = announced in (0, 0xFFFFFFFF)  # written by programs that could not know the length
    return not streamed and announced + 8 > n_bytes + 1  # a missing padding byte at the end is harmless
