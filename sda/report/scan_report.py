"""What `scan.py` has to say of folders, as data that terminal and page show alike."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sda.report.file_table import Entry, LeftOut, NearPair
from sda.report.training_estimate import TrainingEstimate
from sda.roots import describe_roots, name_roots
from sda.wording import format_duration


@dataclass(frozen=True)
class FolderReport:
    """A folder, or several, before training."""

    folders: Sequence[str]
    scanned_at: datetime
    fingerprint: str
    entries: list[Entry]
    left_out: list[LeftOut]
    copies: list[list[str]]
    """Files with identical samples, a list for each sound."""
    near: list[NearPair]
    n_groups: int
    notices: list[str]
    estimate: TrainingEstimate | None
    """Nothing where `train.py` would refuse."""
    passed_over: str = ""
    """How many files are no sound, in words."""
    refusal: str = ""
    time: str = ""
    """How long training would take, in words; empty where it was not asked for."""

    @property
    def place(self) -> str:
        """Where the files lie, in words."""
        return describe_roots(self.folders)

    @property
    def name(self) -> str:
        """What the folders are called."""
        return name_roots(self.folders)

    @property
    def usable(self) -> list[Entry]:
        """What can be trained on."""
        return [entry for entry in self.entries if entry.file.usable]

    @property
    def duration(self) -> str:
        """Length of all usable files, in words."""
        return format_duration(sum(entry.file.duration_s for entry in self.usable))

    @property
    def n_odd(self) -> int:
        """Usable files worth a second look."""
        return sum(bool(entry.oddities) for entry in self.entries)

    @property
    def formats(self) -> list[str]:
        """Rates, channels and encodings of the usable files with how often each occurs, such as `44.1 kHz × 12`."""
        found = [entry.file.measured for entry in self.usable]
        counts = (
            Counter(f"{sound.sample_rate_hz / 1000:g} kHz" for sound in found),
            Counter("1 channel" if sound.n_channels == 1 else f"{sound.n_channels} channels" for sound in found),
            Counter(sound.encoding for sound in found),
        )
        return [", ".join(f"{name} × {n}" for name, n in count.most_common()) for count in counts]
