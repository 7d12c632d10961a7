"""Training and held-out files, split so that no sound is on both sides."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from sda.errors import DataError


@dataclass(frozen=True)
class Split:
    """File paths on either side, each in the order given."""

    train: tuple[str, ...]
    val: tuple[str, ...]

    def side_of(self, path: str) -> str:
        """`train` or `val`.

        Raises:
            KeyError: the path is on neither side.
        """
        for side, paths in (("train", self.train), ("val", self.val)):
            if path in paths:
                return side
        raise KeyError(path)


def split_files(groups: Mapping[str, str], val_fraction: float, seed: int = 0) -> Split:
    """Hold out about `val_fraction` of the files, never splitting a group.

    Whole groups are drawn in an order that depends on the seed and the groups' keys alone: neither file names nor
    the order of the listing matter, and one more file leaves the others where they were, but for the share held out.

    Args:
        groups: path → key of its group; files with the same sound share a key.
        val_fraction: share of the files to hold out, in (0, 1); at least one file lands on each side.
        seed: another seed, another draw.

    Raises:
        DataError: there are fewer than two files, or fewer than two different sounds.

    >>> split_files({"a.wav": "1", "copy of a.wav": "1", "b.wav": "2"}, val_fraction=0.3)
    Split(train=('a.wav', 'copy of a.wav'), val=('b.wav',))
    """
    if len(groups) < 2:
        raise DataError(
            f"{len(groups)} usable file: at least 2 are needed, one to learn from and one to judge by. "
            "Add files, or cut the one you have into several takes."
        )
    members: dict[str, list[str]] = {}
    for path, key in groups.items():
        members.setdefault(key, []).append(path)
    if len(members) < 2:
        raise DataError(
            f"all {len(groups)} usable files hold the same sound, so none can be held out to judge by. "
            "Add at least one different sound."
        )
    n_val = min(max(round(val_fraction * len(groups)), 1), len(groups) - 1)
    drawn = sorted(members, key=lambda key: hashlib.sha256(f"{seed}:{key}".encode()).digest())
    held_out: set[str] = set()
    for key in drawn:
        if len(held_out) + len(members[key]) <= n_val:
            held_out.update(members[key])
    if not held_out:  # every group is larger than the share
        held_out.update(members[min(drawn, key=lambda key: len(members[key]))])
    return Split(
        train=tuple(path for path in groups if path not in held_out),
        val=tuple(path for path in groups if path in held_out),
    )
