"""The records of generated sound that lie on disk: what is there, how it is made again, what is kept and forgotten."""

import hashlib
import re
import shlex
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Required, TypedDict

from sda.config.verbs import GenerateConfig, SoundFormat
from sda.config_field import list_traits
from sda.data.walk import GENERATED_RECORD
from sda.durable import write_json
from sda.errors import DamagedError, DataError
from sda.plain_files import open_plain
from sda.runs.outputs import claim_next, is_empty_folder
from sda.shell import name_command
from sda.stored import pass_over, read_stored

SOUND_NAME = re.compile(r"sound_[0-9]{3,}\.(wav|flac)")
"""Names that a call gives to its sounds; no other file is ever opened or removed."""


class _SoundRecord(TypedDict, total=False):
    file: Required[str]
    number: Required[int]
    sources: list[str]
    n_samples: int
    sha256: str
    provenance: dict[str, Any]


class _CallRecord(TypedDict, total=False):
    run: Required[str]
    mode: Required[str]
    seed: Required[int]
    n: Required[int]
    sample_rate_hz: Required[int]
    own_rate_hz: int
    """Of the model, where its sounds were resampled."""
    format: str
    source: str
    checkpoint: str
    prior: dict[str, Any]
    files: Required[list[_SoundRecord]]


def read_record(folder: Path) -> dict[str, Any]:
    """What a call said of its sounds.

    Raises:
        DamagedError: it cannot be read, or is no such record.
    """
    return dict(read_stored(folder / GENERATED_RECORD, _CallRecord, "Its sounds can still be played from the folder."))


def list_calls(place: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Every call's folder below a place, with its record; damaged ones are named and passed over."""
    for folder in sorted(place.iterdir()) if place.is_dir() else []:
        path = folder / GENERATED_RECORD
        if folder.is_symlink() or not path.is_file() or path.stat().st_size == 0:  # empty: it has just begun
            continue
        try:
            yield folder, read_record(folder)
        except DamagedError as damage:
            pass_over(damage)


def list_whole(record: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The sounds of a call that are whole, in order."""
    return [file for file in record["files"] if "sha256" in file and SOUND_NAME.fullmatch(file["file"])]


def list_settings(record: Mapping[str, Any]) -> dict[str, Any]:
    """What a call was told, by the keys of `GenerateConfig`; keys that its mode does not know are left out."""
    known = {**record, **record.get("prior", {})}
    if "own_rate_hz" not in record:  # as the model makes it
        del known["sample_rate_hz"]
    if record.get("format") == SoundFormat.wav16.value:
        del known["format"]
    known["checkpoint"] = "best" if record.get("checkpoint", "best") == "best" else "last"
    return {
        key: known[key]
        for key, traits in list_traits(GenerateConfig).items()
        if known.get(key, "") not in ("", None) and (not traits.modes or record["mode"] in traits.modes.split(","))
    }


def write_command(record: Mapping[str, Any], number: int) -> str:
    """The command that makes a sound again, and those before it in its call."""
    given = {**list_settings(record), "n": number}
    return " ".join(
        [name_command("generate"), *(shlex.quote(f"{key}={_spell(value)}") for key, value in given.items())]
    )


def tell_origin(record: Mapping[str, Any], number: int) -> str:
    """What a sound file says of itself: the run, and what it was told; names of folders are nobody's business.

    Args:
        record: of its call.
    """
    told = {key: value for key, value in record.items() if key != "data.root"}
    told |= {"run": Path(record["run"]).name, "source": Path(record.get("source", "")).name}
    return f"epoch {record['epoch']}, sound {number}: {write_command(told, number)}"


def name_missing_source(record: Mapping[str, Any]) -> str:
    """The sound that a call started from, by its name, if it lies there no more; else empty."""
    source = record.get("source", "")
    return Path(source).name if source and not Path(source).exists() else ""


def forget_sound(folder: Path, number: int) -> None:
    """Remove one sound of a call, and from its record; with the last one goes the folder, if nothing else is in it.

    Raises:
        DataError: the record has no such sound, or the file is not what was written then.
        DamagedError: the record is damaged.
    """
    record = read_record(folder)
    sound = _find(folder, record, number)
    path = folder / sound["file"]
    _see_that_it_is_ours(path, sound["sha256"])
    record["files"] = [file for file in record["files"] if file is not sound]
    record["complete"] = False
    record["forgotten"] = sorted({*record.get("forgotten", []), number})
    write_json(folder / GENERATED_RECORD, record)
    path.unlink()
    if not record["files"]:
        (folder / GENERATED_RECORD).unlink()
        if is_empty_folder(folder):
            folder.rmdir()


def keep_sound(folder: Path, number: int, kept: Path) -> Path:
    """Copy one sound of a call, with its record, into a folder of its own below `kept`.

    Raises:
        DataError: as `forget_sound`.
        DamagedError: the record is damaged.
    """
    record = read_record(folder)
    sound = _find(folder, record, number)
    _see_that_it_is_ours(folder / sound["file"], sound["sha256"])
    place = claim_next(kept / f"{folder.name}_{Path(sound['file']).stem}", GENERATED_RECORD)
    with open_plain(folder / sound["file"]) as source, open(place / sound["file"], "xb") as target:
        shutil.copyfileobj(source, target)
    sources = {path: record.get("source_sha256", {}).get(path, "") for path in sound.get("sources", [])}
    changes = {"files": [sound], "complete": False, "source_sha256": sources, "kept_from": str(folder)}
    write_json(place / GENERATED_RECORD, record | changes)
    return place


def _find(folder: Path, record: Mapping[str, Any], number: int) -> dict[str, Any]:
    for sound in list_whole(record):
        if sound["number"] == number:
            return sound
    raise DataError(f"{folder / GENERATED_RECORD} names no whole sound {number}: it may have been forgotten already.")


def _see_that_it_is_ours(path: Path, sha256: str) -> None:
    try:
        with open_plain(path) as file:
            content = hashlib.sha256()
            while block := file.read(1 << 20):
                content.update(block)
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror or error}).") from error
    if content.hexdigest() != sha256:
        raise DataError(f"{path} is not what was generated: it was changed since, and is left as it is.")


def _spell(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
