"""Groups: files that stay on one side of the split, as copies, near copies, or by a pattern on their names."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sda.audio.io import FloatArray
from sda.data.cache import SoundCache
from sda.data.duplicates import NearDuplicate, ReadSound, find_near_duplicates
from sda.data.scanned import Scan
from sda.errors import ConfigError

TAKES = "takes"
"""A name for `TAKES_PATTERN`, for `data.group_by`."""
AUTO = "auto"
"""Stands for `TAKES` where that leaves enough groups to split, else for no pattern: a scale may end in letters too."""
TAKES_PATTERN = r"^(.+?)(?:[-_ ]+[A-Za-z]|[-_ ]*[Tt]ake[-_ ]*\d+|[-_ ]*\(\d+\)|[-_ ]+[Cc]opy)?\.\w+$"
"""Finds alike what differs only in an ending such as `-A`, `take 2`, `(3)` or `copy`."""

FEWEST_GROUPS = 3
"""Groups below which one held-out group would say nothing of the others, and files are split in time instead."""


@dataclass(frozen=True)
class Groups:
    """Which files belong together and why."""

    key_of: dict[str, str]
    """Group of every usable file, by path: the smallest content hash in it, whatever the names."""
    near_duplicates: list[NearDuplicate] = field(default_factory=list)
    n_joined_by_name: int = 0
    """How many groups fewer there are because names are alike."""

    @property
    def members(self) -> dict[str, list[str]]:
        """Paths by group."""
        members: dict[str, list[str]] = {}
        for path, key in self.key_of.items():
            members.setdefault(key, []).append(path)
        return members


def group_files(scan: Scan, cache: SoundCache, group_by: str = "") -> Groups:
    """Put together files with identical samples, files that share a recording, and files that a pattern names alike.

    Args:
        cache: holds the waveforms, to compare near duplicates.
        group_by: regular expression searched for in each path below the root; files for which it finds the same
            text (its groups where it has some) belong together. Files in which it finds nothing stand alone. `takes`
            stands for `TAKES_PATTERN`, `auto` for the same where it leaves `FEWEST_GROUPS`, empty for none.

    Raises:
        ConfigError: the pattern is no regular expression, or finds nothing in any file.
    """
    hash_of = {file.path: file.sha256 for file in scan.usable}
    first_of = {sha256: path for path, sha256 in reversed(hash_of.items())}
    distinct = {path: scan.acoustic[path] for path in sorted(first_of.values(), key=list(hash_of).index)}
    near = find_near_duplicates(distinct, read_from(cache, hash_of))
    links = [(hash_of[pair.path], hash_of[pair.other]) for pair in near]
    by_sound = _join(set(hash_of.values()), links)
    named = [(hash_of[one], hash_of[other]) for one, other in _link_by_name(scan.root, hash_of, group_by)]
    joined = _join(set(hash_of.values()), [*links, *named])
    if group_by == AUTO and len(set(joined.values())) < FEWEST_GROUPS:
        joined = by_sound
    n_joined = len(set(by_sound.values())) - len(set(joined.values()))
    return Groups({path: joined[sha256] for path, sha256 in hash_of.items()}, near, n_joined)


def read_from(cache: SoundCache, hash_of: Mapping[str, str]) -> ReadSound:
    """Reads stretches of cached waveforms."""

    def read(path: str, start_s: float, end_s: float) -> tuple[FloatArray, int]:
        waveform = cache.open_waveform(hash_of[path])
        assert waveform is not None, "the scan cached it"
        rate_hz = cache.sample_rate_hz
        return waveform[round(start_s * rate_hz) : round(end_s * rate_hz)], rate_hz

    return read


def _link_by_name(root: str, paths: Iterable[str], group_by: str) -> list[tuple[str, str]]:
    """Pairs of paths that the pattern finds alike."""
    if not group_by:
        return []
    try:
        pattern = re.compile(TAKES_PATTERN if group_by in (AUTO, TAKES) else group_by)
    except re.error as error:
        raise ConfigError(f"data.group_by={group_by} is no regular expression: {error}.") from error
    first: dict[tuple[str, ...], str] = {}
    links = []
    names = {path: Path(path).relative_to(root).as_posix() for path in paths}
    for path, name in names.items():
        match = pattern.search(name)
        if match is not None:
            found = match.groups(default="") or (match.group(),)
            links.append((first.setdefault(found, path), path))
    if not links:
        raise ConfigError(f"data.group_by={group_by} finds nothing in any file's path, such as {min(names.values())}.")
    return links


def _join(keys: Iterable[str], links: Iterable[tuple[str, str]]) -> dict[str, str]:
    """The smallest key of everything linked to each key, directly or through others."""
    parent = {key: key for key in keys}

    def find(key: str) -> str:
        while parent[key] != key:
            parent[key] = parent[parent[key]]
            key = parent[key]
        return key

    for one, other in links:
        low, high = sorted((find(one), find(other)))
        parent[high] = low
    return {key: find(key) for key in parent}
