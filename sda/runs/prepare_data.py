"""Data preparation: folders of sounds scanned, grouped and split as a run would; nothing here imports torch."""

from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress as ProgressBar

from sda.config.schema import TrainRunConfig
from sda.data.cache import SoundCache
from sda.data.groups import AUTO, Groups, group_files
from sda.data.measure import LOWEST_DBFS, QUIET_DB
from sda.data.scan import scan_folder
from sda.data.scanned import Scan
from sda.data.split import Split, split_scan
from sda.errors import DataError
from sda.printable import show_name
from sda.roots import split_roots
from sda.runs.sound_notices import describe_sounds
from sda.wording import format_share

MOSTLY_SILENT = 0.5
"""Share of a corpus that is silent from which on it is said."""


@cache
def scan_once(root: str, min_duration_s: float, silence_dbfs: float, cache_dir: str, sample_rate_hz: int) -> Scan:
    """Scan what `data.root` names, once in the life of the process, with a progress bar in a terminal."""
    folders, store = split_roots(root), SoundCache(cache_dir, sample_rate_hz)
    console = Console(stderr=True)
    if not console.is_terminal:
        return scan_folder(folders, min_duration_s, silence_dbfs, store)
    with ProgressBar(console=console, transient=True) as bar:
        task = bar.add_task("looking at every file")
        return scan_folder(
            folders,
            min_duration_s,
            silence_dbfs,
            store,
            lambda done, total: bar.update(task, completed=done, total=total),
        )


def scan_given(key: str, root: str, store: SoundCache, with_generated: bool = False) -> Scan:
    """Scan a folder that is no run's, near-silent files included.

    Args:
        key: what the folder was given as, for errors.
        with_generated: look into folders of generated sound inside it too.

    Raises:
        DataError: there is no such folder, or no usable sound in it.
    """
    try:
        return scan_folder(root, silence_dbfs=LOWEST_DBFS, cache=store, with_generated=with_generated)
    except DataError as error:
        raise DataError(str(error).replace("data.root", key).replace("data.cache_dir", "cache_dir")) from error


def build_cache(config: TrainRunConfig) -> SoundCache:
    """Where decoded sound is kept."""
    return SoundCache(config.data.cache_dir, config.audio.sample_rate_hz, config.data.cache_max_gb)


def prepare_data(config: TrainRunConfig) -> tuple[Scan, Groups, Split]:
    """What the folders hold, what belongs together in it, and what is held out.

    Raises:
        ConfigError, DataError: the sounds cannot be used as asked.
    """
    data, training = config.data, config.training
    scan = scan_once(data.root, data.min_duration_s, data.silence_dbfs, data.cache_dir, config.audio.sample_rate_hz)
    store = build_cache(config)
    groups = group_files(scan, store, data.group_by)
    split = split_scan(
        scan,
        groups,
        training.val_fraction,
        config.seed,
        chunk_duration_s=training.chunk_duration_s,
        folds=data.folds,
        fold=data.fold,
    )
    return scan, groups, split


def find_notices(config: TrainRunConfig, scan: Scan, groups: Groups) -> list[str]:
    """What the user should know of the sounds before anything is trained on them."""
    audio = config.audio
    notices = [f"nothing in {folder} can be used" for folder in _list_unused(scan)]
    notices += describe_sounds(scan, audio.sample_rate_hz, audio.n_fft, audio.hop_length)
    total_s = sum(file.duration_s for file in scan.usable)
    silent = sum(file.measured.quiet_fraction * file.duration_s for file in scan.usable) / total_s
    if silent >= MOSTLY_SILENT:
        notices.append(
            f"{format_share(silent)} of this is silence ({-QUIET_DB:g} dB below the loudest window of its file): "
            "digital silence is left out of training and of all figures, but for a little between sounds"
        )
    if groups.near_duplicates:
        pair = groups.near_duplicates[0]
        n_pairs = len(groups.near_duplicates)
        notices.append(
            f"{n_pairs} pair{'s'[: n_pairs - 1]} of files share a recording and stay on one side of the split, "
            f"such as {show_name(pair.path, scan.root)} and {show_name(pair.other, scan.root)}"
        )
    if groups.n_joined_by_name and config.data.group_by == AUTO:
        notices.append(
            f"names look like several takes of one recording: files whose names differ only in an ending such as -A, "
            f"take 2 or (3) stay on one side of the split ({len(groups.members)} groups of {scan.file_count} files). "
            "If they are not takes: data.group_by=''"
        )
    return notices


def _list_unused(scan: Scan) -> list[str]:
    """Folders that no usable file lies in."""
    paths = [Path(file.path) for file in scan.usable]
    return [folder for folder in scan.folders if not any(path.is_relative_to(folder) for path in paths)]


def describe_data(scan: Scan, groups: Groups, split: Split) -> dict[str, Any]:
    """The manifest: every file with what was measured, on which side it is and in which group, and why."""
    files = [
        {
            "path": file.path,
            "status": "used" if file.usable else "quarantined",
            "reason": file.reason,
            "split": split.side_of(file.path) if file.usable else None,
            "group": groups.key_of.get(file.path),
            "sha256": file.sha256,
            "duration_s": round(file.duration_s, 4),
            **{key: value for key, value in asdict(file.measured).items() if key != "fault"},
        }
        for file in scan.files
    ]
    return {
        "fingerprint": scan.fingerprint,
        "n_groups": len(groups.members),
        "validation_weakness": split.weakness,
        "held_out_pieces": [piece._asdict() for piece in split.val],
        "near_duplicates": [asdict(pair) for pair in groups.near_duplicates],
        "files": files,
    }
