"""Training and held-out sound, split so that no recording is on both sides.

Whole groups are split, never files. Where there are too few groups for that, each recording is split in time, with
a gap between the sides; such a validation is weak, and says so wherever it is shown.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sda.data.fingerprint import Fingerprint, bits_of, count_frames, is_audible
from sda.data.groups import FEWEST_GROUPS, Groups
from sda.data.scanned import Scan, ScannedFile
from sda.errors import ConfigError, DataError
from sda.printable import name_apart

N_DRAWS = 256
"""Splits drawn, of which the one whose sides are most alike is taken."""


class Segment(NamedTuple):
    """A stretch of a file, or all of it."""

    path: str
    start_s: float = 0.0
    end_s: float | None = None
    """End of the stretch in seconds; `None` for the file's own."""


class SplitFile(NamedTuple):
    """What a split must know of a file."""

    group: str
    """Files with the same group stay on one side; the draw depends on groups, not on paths."""
    duration_s: float
    level_dbfs: float


@dataclass(frozen=True)
class Split:
    """Sound on either side, each in the order given."""

    train: tuple[Segment, ...]
    val: tuple[Segment, ...]
    weakness: str = ""
    """Why what is held out says less than it should; empty for whole groups."""
    set_aside: tuple[str, ...] = ()
    """Files on neither side: copies of a recording that is itself split in time."""

    def side_of(self, path: str) -> str:
        """`train`, `val`, `both` (in different stretches) or `aside`."""
        sides = [
            side for side, segments in (("train", self.train), ("val", self.val)) if path in {p.path for p in segments}
        ]
        return "both" if len(sides) == 2 else sides[0] if sides else "aside"

    @property
    def train_paths(self) -> list[str]:
        """Files trained on, each once."""
        return list(dict.fromkeys(segment.path for segment in self.train))

    @property
    def val_paths(self) -> list[str]:
        """Files held out, in part or whole, each once."""
        return list(dict.fromkeys(segment.path for segment in self.val))

    @property
    def names(self) -> dict[str, str]:
        """What the files of either side are called, by path: no two are called the same."""
        return name_apart([*self.train_paths, *self.val_paths])


def split_files(
    files: Mapping[str, SplitFile],
    val_fraction: float,
    seed: int = 0,
    *,
    chunk_duration_s: float = 1.0,
    folds: int = 0,
    fold: int = 0,
) -> Split:
    """Hold out about `val_fraction` of the files, or one of `folds` equal parts, so that the sides are alike.

    Of many splits drawn from the seed, the one is taken whose sides differ least in length and level. The draw
    depends on the groups' keys alone: neither file names nor the order of the listing matter.

    Args:
        files: by path.
        val_fraction: share of the files to hold out, in (0, 1); at least one group lands on each side.
        seed: another seed, another draw.
        chunk_duration_s: of the segments that the model sees; the gap in a recording split in time is as long.
        folds: parts for cross-validation, at least 2; 0 splits by `val_fraction`.
        fold: the part to hold out, from 0.

    Raises:
        ConfigError: `fold` is not one of `folds`.
        DataError: there are fewer groups than parts, or too few groups and no recording long enough to split in time.

    >>> split = split_files({name: SplitFile(name, 4.0, -20.0) for name in "abcd"}, val_fraction=0.25)
    >>> len(split.train), len(split.val), split.weakness
    (3, 1, '')
    """
    if folds == 1 or not 0 <= fold < max(1, folds):
        raise ConfigError(
            f"data.fold={fold} of data.folds={folds}: give 2 folds or more, and a fold from 0 up to them."
        )
    groups: dict[str, list[str]] = {}
    for path, file in sorted(files.items(), key=lambda item: (item[1].group, item[0])):
        groups.setdefault(file.group, []).append(path)
    if len(groups) < FEWEST_GROUPS:
        n_blocks = folds or max(2, round(1 / val_fraction))
        block = fold if folds else int(np.random.default_rng(seed).integers(n_blocks))
        in_time = _split_in_time(files, groups, n_blocks, block, chunk_duration_s)
        if in_time is not None:
            return in_time
        if len(groups) == 2 and not folds:
            return _split_two_groups(files, groups, seed)
        raise DataError(_explain_too_little(len(files), len(groups), math.ceil(2 * n_blocks * chunk_duration_s)))
    if folds > len(groups):
        raise DataError(
            f"data.folds={folds}, but there are only {len(groups)} groups of files that share no recording. "
            f"Use data.folds={len(groups)} or fewer."
        )
    shares = [1 / folds] * folds if folds else [val_fraction, 1 - val_fraction]
    parts = _draw_alike(groups, files, shares, seed)
    held_out = {path for key in parts[fold if folds else 0] for path in groups[key]}
    return Split(
        train=tuple(Segment(path) for path in files if path not in held_out),
        val=tuple(Segment(path) for path in files if path in held_out),
    )


def split_from_facts(facts: Mapping[str, Any], paths: Mapping[str, str] | None = None) -> Split:
    """A split that was written down as plain values, such as in a checkpoint.

    Args:
        paths: where files lie now, by the path they had then; all are where they were if not given.
    """

    def now(path: str) -> str:
        return path if paths is None else paths[path]

    train, val = ([Segment(now(path), *rest) for path, *rest in facts[side]] for side in ("train", "val"))
    return Split(tuple(train), tuple(val), facts["weakness"], tuple(now(path) for path in facts["set_aside"]))


def split_scan(
    scan: Scan,
    groups: Groups,
    val_fraction: float,
    seed: int = 0,
    *,
    chunk_duration_s: float = 1.0,
    folds: int = 0,
    fold: int = 0,
) -> Split:
    """`split_files` for what was found in a folder."""
    first_of: dict[str, str] = {}  # by group, the first of its sounds
    for file in scan.usable:
        key, sound = groups.key_of[file.path], _name_sound(file, scan.acoustic[file.path])
        first_of[key] = min(first_of.get(key, sound), sound)
    files = {
        file.path: SplitFile(
            first_of[groups.key_of[file.path]],
            max(1e-3, file.measured.sound_end_s - file.measured.sound_start_s),
            file.measured.level_dbfs,
        )
        for file in scan.usable
    }
    return split_files(files, val_fraction, seed, chunk_duration_s=chunk_duration_s, folds=folds, fold=fold)


def _name_sound(file: ScannedFile, fingerprint: Fingerprint) -> str:
    """What sounds are ordered by before a draw: how long they are, then what they are like, then their content.

    A louder or quieter copy of a folder, or one with silence at the ends of its sounds, is drawn alike.
    """
    measured = file.measured
    length_s = measured.sound_end_s - measured.sound_start_s
    audible = np.flatnonzero(is_audible(fingerprint))
    first = int(audible[0]) if len(audible) else 0
    inside = bits_of(fingerprint)[first : first + max(1, count_frames(length_s))]
    likeness = int(inside.mean()) if len(inside) else 0
    return f"{round(1000 * length_s):012d} {likeness:010d} {measured.sound_sha256 or file.sha256}"


def _draw_alike(
    groups: Mapping[str, Sequence[str]], files: Mapping[str, SplitFile], shares: Sequence[float], seed: int
) -> list[list[str]]:
    """Group keys dealt into parts of about the given shares of the files: the draw whose parts are most alike."""
    keys = list(groups)
    rng = np.random.default_rng(seed)
    wanted = [max(1.0, share * len(files)) for share in shares]
    sizes = {key: len(paths) for key, paths in groups.items()}
    traits = {
        key: np.array([[math.log(files[path].duration_s), files[path].level_dbfs] for path in paths])
        for key, paths in groups.items()
    }
    draws = (_deal([keys[index] for index in rng.permutation(len(keys))], sizes, wanted) for _ in range(N_DRAWS))
    return min(draws, key=lambda parts: _measure_difference([[traits[key] for key in part] for part in parts], wanted))


def _deal(order: Sequence[str], sizes: Mapping[str, int], wanted: Sequence[float]) -> list[list[str]]:
    """Every group goes to the part that it overfills least, and of those to the one that lacks most."""
    parts: list[list[str]] = [[] for _ in wanted]
    counts = [0] * len(wanted)
    # Large groups first, in the order drawn among equals: they are what could not be made up for later.
    for key in sorted(order, key=lambda key: -sizes[key]):
        excess = [max(0.0, count + sizes[key] - goal - 0.5) for count, goal in zip(counts, wanted, strict=True)]
        part = min(range(len(wanted)), key=lambda part: (excess[part], counts[part] / wanted[part]))
        parts[part].append(key)
        counts[part] += sizes[key]
    return parts


def _measure_difference(parts: Sequence[Sequence[NDArray[np.float64]]], wanted: Sequence[float]) -> float:
    """How far the parts are apart: in mean and spread of log length and level, and from their size.

    Args:
        parts: of each part, of each of its groups, a row of traits for every file.
    """
    sides = [np.concatenate(part) for part in parts]
    everything = np.concatenate(sides)
    mean, spread = everything.mean(axis=0), np.maximum(everything.std(axis=0), 1e-9)
    difference = sum(abs(len(side) - goal) for side, goal in zip(sides, wanted, strict=True))
    for side in sides:
        difference += float((np.abs(side.mean(axis=0) - mean) / spread).sum())
        # A part that is as varied as the whole represents it; one that has only its middle does not.
        difference += float((np.abs(side.std(axis=0) - spread) / spread).sum())
    return round(difference, 6)  # of draws that differ by rounding alone, the first is taken


def _split_in_time(
    files: Mapping[str, SplitFile],
    groups: Mapping[str, Sequence[str]],
    n_blocks: int,
    block: int,
    chunk_duration_s: float,
) -> Split | None:
    """Split the longest file of each group in time: one block held out, a gap on either side, the rest to train on.

    Nothing where no file is long enough.
    """
    train: list[Segment] = []
    val: list[Segment] = []
    longest = [max(paths, key=lambda path: files[path].duration_s) for paths in groups.values()]
    for path in longest:
        duration_s = files[path].duration_s
        start_s, end_s = block * duration_s / n_blocks, (block + 1) * duration_s / n_blocks
        gap_s = chunk_duration_s
        rest = [Segment(path, 0.0, start_s - gap_s), Segment(path, end_s + gap_s, duration_s)]
        rest = [segment for segment in rest if (segment.end_s or 0.0) - segment.start_s >= chunk_duration_s]
        if rest and end_s - start_s >= chunk_duration_s:
            train += rest
            val.append(Segment(path, start_s, end_s))
    if not val:
        return None
    if len(val) < len(longest):  # a recording too short to split goes where it does no harm: into training
        train += [Segment(path) for path in longest if path not in {segment.path for segment in val}]
    counted = "the only recording" if len(groups) == 1 else "the only two recordings"
    return Split(
        tuple(train),
        tuple(val),
        weakness=f"what is held out is a part of {counted} trained on, {chunk_duration_s:g} s or more apart in time",
        set_aside=tuple(path for path in files if path not in longest),
    )


def _split_two_groups(files: Mapping[str, SplitFile], groups: Mapping[str, Sequence[str]], seed: int) -> Split:
    """One of two recordings held out whole, where they are too short to be split in time."""
    held_out = sorted(groups)[int(np.random.default_rng(seed).integers(2))]
    return Split(
        train=tuple(Segment(path) for path in files if path not in groups[held_out]),
        val=tuple(Segment(path) for path in files if path in groups[held_out]),
        weakness="there are only two different recordings; the one held out says little of others",
    )


def _explain_too_little(n_files: int, n_groups: int, needed_s: int) -> str:
    if n_files == 1:
        found = "1 usable file"
    elif n_groups == 1:
        found = f"all {n_files} usable files hold the same recording"
    else:
        found = f"only {n_groups} different recordings"
    return (
        f"{found}, too short to be split in time: at least 2 are needed, one to learn from and one to judge by, or "
        f"one of about {needed_s} s. Add different sounds."
    )
