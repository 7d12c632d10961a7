"""The files of a folder as a person reads them: names, groups, sides, what was measured and what is odd about it."""

import string
from dataclasses import dataclass

from sda.data.groups import Groups
from sda.data.measure import FAINT_DBFS, Measured, to_dbfs
from sda.data.scanned import Scan, ScannedFile
from sda.data.split import Split
from sda.printable import show_name

MOST_CLIPPED = 0.001
"""Share of clipped samples above which a file is pointed out; the others likewise."""
MOST_SILENCE = 0.2
LARGEST_OFFSET = 0.01
LIMITS = (
    f"level below {FAINT_DBFS:g} dBFS",
    f"more than {100 * MOST_CLIPPED:g} % clipped",
    f"more than {100 * MOST_SILENCE:g} % silence",
    f"DC offset beyond ±{LARGEST_OFFSET:g}",
    "channels left out, being silent or lost in an average",
)
"""The five in words."""

LONGEST_LIST = 12
"""Signs that the numbers of channels may take in a cell."""

REMEDIES = {
    "too short": "join it with others, or lower data.min_duration_s",
    "silent": "turn it up, or lower data.silence_dbfs",
    "empty": "export it again",
    "unreadable: not a regular file": "nothing to do",
    "unreadable: a link": "mend the link, or delete it",
    "unreadable": "open it in an audio editor and export it as WAV or FLAC",
    "hidden": "nothing to do, unless it is a sound of yours: then take the dot off its name",
    "inside a run folder": "nothing to do",
}
"""What to do about a file that is left out, by how its reason begins, where the reason does not say it."""


SIDES = {"train": "train", "val": "held out", "both": "both, in parts", "aside": "set aside", "": ""}
"""What a file is for, in words, by the side it is on."""


@dataclass(frozen=True)
class Entry:
    """One file as the report lists it."""

    name: str
    """Path below the root, every sign of it printable."""
    file: ScannedFile
    group: str = ""
    """Letters shared with the files that must stay on its side of the split; empty for a file that stands alone."""
    side: str = ""
    """`train`, `val`, `both`, `aside` or, where nothing is settled, empty."""

    @property
    def oddities(self) -> dict[str, str]:
        """What is worth a second look in a usable file, in words, by column."""
        return find_oddities(self.file.measured) if self.file.usable else {}

    @property
    def fault(self) -> str:
        """Why it is left out, in two or three words."""
        return self.file.reason.partition(":")[0].partition(";")[0].partition(",")[0]


@dataclass(frozen=True)
class LeftOut:
    """Files that are left out for one reason."""

    reason: str
    remedy: str
    names: list[str]


@dataclass(frozen=True)
class NearPair:
    """Two files that share a recording: what lies at time t of `name` lies at `t + shift_s` of `other`."""

    name: str
    other: str
    shift_s: float
    correlation: float


def list_files(scan: Scan, groups: Groups, split: Split | None) -> list[Entry]:
    """Every file that is or might be sound, with its group's letters and its side."""
    label_of = _label_groups(groups)
    return [
        Entry(
            show_name(file.path, scan.root),
            file,
            label_of.get(file.path, ""),
            split.side_of(file.path) if split is not None and file.usable else "",
        )
        for file in scan.files
        if not file.lies_beside
    ]


def list_left_out(scan: Scan) -> list[LeftOut]:
    """Files that are left out by reason, most frequent first."""
    names: dict[str, list[str]] = {}
    for file in scan.quarantined:
        names.setdefault(file.reason, []).append(show_name(file.path, scan.root))
    ordered = sorted(names.items(), key=lambda item: -len(item[1]))
    return [LeftOut(*_split_reason(reason), found) for reason, found in ordered]


def list_copies(scan: Scan) -> list[list[str]]:
    """Names of usable files with identical samples, two or more at a time."""
    names: dict[str, list[str]] = {}
    for file in scan.usable:
        names.setdefault(file.sha256, []).append(show_name(file.path, scan.root))
    return [found for found in names.values() if len(found) > 1]


def list_near(scan: Scan, groups: Groups) -> list[NearPair]:
    """Pairs that share a recording without being the same."""
    return [
        NearPair(show_name(pair.path, scan.root), show_name(pair.other, scan.root), pair.shift_s, pair.correlation)
        for pair in groups.near_duplicates
    ]


def find_oddities(measured: Measured) -> dict[str, str]:
    """What is worth a second look, in words, by column.

    >>> find_oddities(Measured(level_dbfs=-50.0, clipped_fraction=0.002))
    {'level': 'level below -45 dBFS', 'clipped': 'more than 0.1 % clipped'}
    """
    is_odd = (
        measured.level_dbfs < FAINT_DBFS,
        measured.clipped_fraction > MOST_CLIPPED,
        measured.quiet_fraction > MOST_SILENCE,
        abs(measured.offset) > LARGEST_OFFSET,
        bool(measured.channels_kept),
    )
    columns = ("level", "clipped", "silence", "offset", "channels")
    return {column: words for column, words, odd in zip(columns, LIMITS, is_odd, strict=True) if odd}


def format_cells(measured: Measured) -> dict[str, str]:
    """What was measured, as text by column; empty where the file could not be read."""
    columns = ("length", "rate", "channels", "encoding", "peak", "level", "clipped", "silence", "bandwidth", "offset")
    if not measured.n_frames:
        return dict.fromkeys(columns, "")
    values = (
        f"{measured.duration_s:.2f}",
        f"{measured.sample_rate_hz / 1000:g}",
        _format_channels(measured),
        measured.encoding,
        f"{to_dbfs(measured.peak):z.1f}",
        f"{measured.level_dbfs:z.1f}",
        _format_percent(measured.clipped_fraction),
        _format_percent(measured.quiet_fraction),
        f"{measured.bandwidth_hz / 1000:.1f}",
        f"{measured.offset:+.4f}" if abs(measured.offset) >= 5e-5 else "0",
    )
    return dict(zip(columns, values, strict=True))


def _format_channels(measured: Measured) -> str:
    """How many there are, and which of them are kept where not all are.

    >>> _format_channels(Measured(n_channels=6)), _format_channels(Measured(n_channels=2, channels_kept="1"))
    ('6', '#1 of 2')
    """
    kept, n_channels = measured.channels_kept, measured.n_channels
    if not kept:
        return f"{n_channels}"
    return f"#{kept} of {n_channels}" if len(kept) <= LONGEST_LIST else f"{kept.count(',') + 1} of {n_channels}"


def _format_percent(fraction: float) -> str:
    """Without a unit; very little is told from nothing."""
    percent = 100 * fraction
    return (
        "0" if percent == 0 else "<0.01" if percent < 0.01 else f"{percent:.2f}" if percent < 10 else f"{percent:.0f}"
    )


def _split_reason(reason: str) -> tuple[str, str]:
    """What is wrong, and what to do about it."""
    problem, _, remedy = reason.partition("; ")
    known = (words for beginning, words in REMEDIES.items() if reason.startswith(beginning))
    return problem, remedy or next(known, "")


def _label_groups(groups: Groups) -> dict[str, str]:
    """A, B, …, Z, AA, … for the files of every group of more than one, by path."""
    shared = [paths for paths in groups.members.values() if len(paths) > 1]
    return {path: _spell(number) for number, paths in enumerate(shared) for path in paths}


def _spell(number: int) -> str:
    """Numbers from 0 as the columns of a spreadsheet are named.

    >>> _spell(0), _spell(25), _spell(26)
    ('A', 'Z', 'AA')
    """
    rest, letter = divmod(number, 26)
    return (_spell(rest - 1) if rest else "") + string.ascii_uppercase[letter]
