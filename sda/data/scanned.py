"""What a scan found: every file, usable or left out, and what the usable ones are together."""

import hashlib
import math
from dataclasses import dataclass, field

from sda.data.beside import BESIDE
from sda.data.fingerprint import Fingerprint
from sda.data.measure import Measured
from sda.roots import find_base

LEARNED_DBFS = -20.0
"""Level of a corpus where it sounds, as it is learned and judged: every floor below which nothing counts lies as far
below a quiet recording as below a loud one."""


@dataclass(frozen=True)
class ScannedFile:
    """One entry of the folder, usable or quarantined."""

    path: str
    """Absolute path."""
    reason: str = ""
    """Why it is left out; empty for a usable file."""
    sha256: str = ""
    """Hash of the decoded samples: equal for the same sound in two lossless formats."""
    measured: Measured = field(default_factory=Measured)

    @property
    def usable(self) -> bool:
        """Whether the file can be trained on."""
        return not self.reason

    @property
    def lies_beside(self) -> bool:
        """Whether the file is none that anybody could take for sound."""
        return self.reason == BESIDE

    @property
    def duration_s(self) -> float:
        """Length in seconds; 0 where the file could not be read."""
        return self.measured.duration_s


@dataclass(frozen=True)
class Scan:
    """The files of a folder, or of several, in the order of their paths."""

    folders: tuple[str, ...]
    """Absolute paths of the folders that were looked into; none where files were given one by one."""
    files: tuple[ScannedFile, ...]
    acoustic: dict[str, Fingerprint] = field(default_factory=dict, repr=False, compare=False)
    """Acoustic fingerprint of every usable file, by path."""

    @property
    def root(self) -> str:
        """The folder below which files are named: the one, or the deepest that holds them all."""
        return str(find_base(self.folders))

    @property
    def usable(self) -> list[ScannedFile]:
        """The files to train on."""
        return [file for file in self.files if file.usable]

    @property
    def quarantined(self) -> list[ScannedFile]:
        """The files left out that are or might be sound, each with its reason."""
        return [file for file in self.files if not file.usable and not file.lies_beside]

    @property
    def passed_over(self) -> list[ScannedFile]:
        """Files that are no sound, and of which there is nothing to say."""
        return [file for file in self.files if file.lies_beside]

    @property
    def file_count(self) -> int:
        """Number of usable files."""
        return len(self.usable)

    @property
    def fingerprint(self) -> str:
        """SHA-256 over the decoded sounds of all usable files, whatever their names."""
        return hashlib.sha256("\n".join(sorted(file.sha256 for file in self.usable)).encode()).hexdigest()

    @property
    def gain_db(self) -> float:
        """By how much all usable sounds together are turned up, or down, to come to `LEARNED_DBFS`; 0 without any."""
        sounding = [(file.duration_s * (1.0 - file.measured.quiet_fraction), file.measured) for file in self.usable]
        power = sum(seconds * 10 ** (measured.level_dbfs / 10) for seconds, measured in sounding)
        total_s = sum(seconds for seconds, _ in sounding)
        return round(LEARNED_DBFS - 10 * math.log10(power / total_s), 2) if power > 0 and total_s > 0 else 0.0

    def count_chunks(self, chunk_duration_s: float) -> int:
        """Chunks in all usable files from the first sound to the last, cut ones counted whole."""
        return sum(
            count_between(file.measured.sound_start_s, file.measured.sound_end_s, chunk_duration_s)
            for file in self.usable
        )


def count_passed_over(scan: Scan) -> str:
    """How many files are no sound, in words; empty where there are none."""
    n = len(scan.passed_over)
    return f"{n} other file{'s' * (n != 1)} passed over" if n else ""


def count_between(start_s: float, end_s: float, chunk_duration_s: float, origin_s: float = 0.0) -> int:
    """Chunks of a grid with a piece of `start_s` to `end_s` in them.

    Args:
        origin_s: where the grid begins.

    >>> count_between(0.0, 2.5, 1.0), count_between(1.2, 1.4, 1.0), count_between(0.9, 1.1, 1.0)
    (3, 1, 2)
    """
    start, end = ((place - origin_s) / chunk_duration_s for place in (start_s, end_s))
    return max(1, math.ceil(end - 1e-9) - math.floor(start + 1e-9))
