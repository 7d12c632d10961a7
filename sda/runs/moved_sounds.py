"""A run's sounds where they lie now: moved and renamed since it was trained, they are known by their content."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from sda.data.cache import SoundCache
from sda.data.measure import LOWEST_DBFS
from sda.data.scan import scan_file, scan_folder
from sda.errors import DataError
from sda.roots import split_roots

MOST_NAMED = 3


def match_by_content(known: Mapping[str, str], hash_of: Mapping[str, str]) -> dict[str, str]:
    """Where each known file lies now: under its own path, or under another with the same sound; absent if nowhere.

    Args:
        known: hash by path, as it was then.
        hash_of: hash by path, as it is now.
    """
    free = {sha256: [path for path in sorted(hash_of) if hash_of[path] == sha256] for sha256 in known.values()}
    now = {path: path for path, sha256 in known.items() if hash_of.get(path) == sha256}
    for path in now:
        free[known[path]].remove(path)
    return now | {path: free[sha256].pop(0) for path, sha256 in known.items() if path not in now and free[sha256]}


def find_moved(known: Mapping[str, str], root: str, cache: SoundCache) -> dict[str, str]:
    """Where each of a run's files lies below a folder, or in one of several, which may hold others too.

    Args:
        known: hash by path, as it was then.
        root: the folder, or several, see `sda.roots`.

    Raises:
        DataError: there is no such folder, or one of the files is in none of them.
    """
    scan = scan_folder(split_roots(root), min_duration_s=0.0, silence_dbfs=LOWEST_DBFS, cache=cache)
    places = match_by_content(known, {file.path: file.sha256 for file in scan.usable})
    missing = [Path(path).name for path in known if path not in places]
    if missing:
        raise DataError(
            f"data.root={root} lacks {_name_first(missing)} of the {len(known)} files that the run was trained on, by "
            "content: what was cut, resampled or encoded anew is another sound. Give the folder that holds them all; "
            "several as 'data.root=[A,B]'."
        )
    return places


def refuse_changed(paths: Sequence[str], known: Mapping[str, str], cache: SoundCache) -> None:
    """Refuse to go on with files that are not what they were.

    Raises:
        DataError: some are gone, or hold another sound.
    """
    gone = [path for path in paths if not Path(path).is_file()]
    if gone:
        raise DataError(
            f"{_name_first(gone)} of the run's {len(known)} files {'is' if len(gone) == 1 else 'are'} not where "
            f"{'it was' if len(gone) == 1 else 'they were'}. If the sounds have moved, say where to: data.root=FOLDER."
        )
    changed = [path for path in paths if scan_file(path, cache=cache)[0].sha256 != known[path]]
    if changed:
        raise DataError(
            f"{_name_first(changed)} of the run's {len(known)} files {'holds' if len(changed) == 1 else 'hold'} other "
            "sound than it was trained on. Put them back as they were, or say where they have moved: data.root=FOLDER."
        )


def _name_first(names: Sequence[str]) -> str:
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return ", ".join(names[:MOST_NAMED]) + more
