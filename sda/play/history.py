"""Everything that was made with a run, read from its folders, by ids that say nothing of where it lies."""

import threading
from pathlib import Path
from typing import Any, NamedTuple

from sda.play.lookup import make_id
from sda.runs.generated_record import (
    forget_sound,
    keep_sound,
    list_calls,
    list_settings,
    list_whole,
    name_missing_source,
    read_record,
    write_command,
)


class Sound(NamedTuple):
    """A sound on disk."""

    folder: Path
    number: int
    path: Path
    is_kept: bool
    record: dict[str, Any]
    entry: dict[str, Any]
    """Its own part of the record."""


class History:
    """The sounds below a run's two places."""

    def __init__(self, generated: Path, kept: Path):
        self._places = {generated: False, kept: True}
        self._kept = kept
        self._lock = threading.Lock()

    def read(self) -> dict[str, Sound]:
        """Every sound by its id, the newest first."""
        found = [
            Sound(folder, entry["number"], folder / entry["file"], is_kept, record, entry)
            for place, is_kept in self._places.items()
            for folder, record in list_calls(place)
            for entry in list_whole(record)
        ]
        moments = {sound.path: moment for sound in found if (moment := _find_moment(sound.path))}
        there = [sound for sound in found if sound.path in moments]
        there.sort(key=lambda sound: (moments[sound.path], sound.path.name), reverse=True)
        return {make_id(sound.path): sound for sound in there}

    def list_made(self, folder: Path) -> list[str]:
        """Ids of the sounds of one call, in order."""
        return [make_id(folder / entry["file"]) for entry in list_whole(read_record(folder))]

    def keep(self, sound: Sound) -> Path:
        """Copy a sound to what is kept; its folder there."""
        with self._lock:
            return keep_sound(sound.folder, sound.number, self._kept)

    def forget(self, sound: Sound) -> None:
        """Remove a sound."""
        with self._lock:
            forget_sound(sound.folder, sound.number)


def describe_sound(key: str, sound: Sound) -> dict[str, Any]:
    """What a list of sounds shows."""
    record, entry = sound.record, sound.entry
    return {
        "id": key,
        "title": f"{sound.folder.name}, {sound.number}",
        "file": f"{sound.folder.name}_{sound.path.name}",
        "number": sound.number,
        "settings": {key: value for key, value in list_settings(record).items() if key not in ("run", "source")},
        "is_kept": sound.is_kept,
        "duration_s": entry.get("n_samples", 0) / max(1, record["sample_rate_hz"]),
        "sources": [Path(source).name for source in entry.get("sources", [])],
        "command": write_command(record, sound.number),
        "missing_source": name_missing_source(record),
    }


def _find_moment(path: Path) -> float:
    try:
        return 0.0 if path.is_symlink() else path.stat().st_mtime
    except OSError:
        return 0.0
