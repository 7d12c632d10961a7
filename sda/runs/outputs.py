"""Output folders: a new one for each call, never among sounds, never over anything that is there."""

import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain, count
from pathlib import Path
from typing import NamedTuple

from sda.data.walk import EVALUATION_RECORD
from sda.errors import ConfigError
from sda.places import lies_in
from sda.roots import split_roots

GENERATED = "generated"
EVALUATION = "evaluation"
EVALUATIONS = "evaluations"
KEPT = "kept"
EXPORTS = "exports"


class Places(NamedTuple):
    """Folders below which each call's own folder is made."""

    generated: Path
    evaluations: Path
    kept: Path
    """Sounds that a person chose to keep, out of all that were generated."""
    exports: Path
    """Models as files of their own."""


def find_places(run_dir: Path, is_own: bool) -> Places:
    """Where what is made of a run goes: into its folder, or below the current one where the run is somebody else's."""
    if is_own:
        return Places(run_dir / GENERATED, run_dir, run_dir / KEPT, run_dir / EXPORTS)
    return Places(*(Path(name).absolute() / run_dir.name for name in (GENERATED, EVALUATIONS, KEPT, EXPORTS)))


def absolute(output: str) -> Path:
    """A path as the user gave it, `~` expanded."""
    return Path(output).expanduser().absolute()


def choose_place(given: str, default: Path, sounds: Mapping[str, Iterable[Path]]) -> Path | None:
    """The folder that was given as `output`, seen to be free; nothing where none was, and the default may be used.

    Args:
        sounds: as of `check_folder`.

    Raises:
        ConfigError: as `check_folder`.
    """
    if given:
        output = absolute(given)
        check_folder(output, f"output={given}", sounds)
        return output
    refuse_among_sounds(default, str(default), sounds)
    return None


def check_folder(folder: Path, key: str, sounds: Mapping[str, Iterable[Path]]) -> None:
    """Refuse a folder that a call must not write into, before anything is computed.

    Args:
        folder: given for the call's files, which may not exist yet; or chosen for it.
        key: what it was given as, such as `output=new`.
        sounds: folders of sound that are never written to, by what they are.

    Raises:
        ConfigError: it lies among sounds, or holds something.
    """
    refuse_among_sounds(folder, key, sounds)
    if folder.exists() and not is_empty_folder(folder):
        raise ConfigError(
            f"{key} is there already and not an empty folder: nothing is ever written over or mixed. "
            f"Give a new one, such as output={name_free(folder)}."
        )


def refuse_among_sounds(place: Path, key: str, sounds: Mapping[str, Iterable[Path]]) -> None:
    """Refuse a place that lies inside a folder of sound, or around one, whichever way the paths are written.

    Raises:
        ConfigError: it does.
    """
    for words, folders in sounds.items():
        for folder in folders:
            if lies_in(place, folder) or lies_in(folder, place):
                relation = "lies inside" if lies_in(place, folder) else "holds"
                raise ConfigError(
                    f"{key} {relation} {words}, {folder}, which is never written to. Give a folder elsewhere: output=…"
                )


def claim_next(folder: Path, mark: str) -> Path:
    """Make a new folder for a call: of this name, or `…-2` where there is one, or the next after the highest number.

    Two calls at once get two folders.

    Args:
        mark: file that the call will write there; it is made empty, and says that the folder is taken.

    Raises:
        OSError: nothing can be written there.
    """
    return next(one for one in _number(folder) if _take(one, mark))


def claim_given(folder: Path, mark: str) -> Path:
    """Take the folder that a user gave: a new or an empty one; a numbered one beside it where it was taken meanwhile.

    Raises:
        OSError: nothing can be written there.
    """
    return folder if _take(folder, mark) else claim_next(folder, mark)


def name_free(path: Path) -> Path:
    """A name beside a file or folder that nobody has: `name-2`, or the next after the highest number."""
    return next(_number(path))


def is_empty_folder(folder: Path) -> bool:
    """Whether it is there, and nothing in it."""
    return folder.is_dir() and not any(folder.iterdir())


def find_evaluation(run_dir: Path) -> Path | None:
    """The folder of a run's newest evaluation that was written to its end; nothing where there is none."""
    whole = {
        number: folder
        for number, folder in _list_numbered(run_dir / EVALUATION).items()
        if (folder / EVALUATION_RECORD).is_file()
    }
    return whole[max(whole)] if whole else None


def list_sound_folders(root: str, paths: Iterable[str]) -> list[Path]:
    """Folders that a run's sounds lie in: those it was given, and wherever else links led.

    Args:
        root: the folder, or several, see `sda.roots`.
    """
    given = map(Path, filter(None, split_roots(root)))
    return list(dict.fromkeys(chain(given, (Path(path).parent for path in paths))))


def _take(folder: Path, mark: str) -> bool:
    """Whether a folder is this call's now: it was not there, or empty, and no other call was quicker."""
    try:
        folder.mkdir(parents=True)
    except FileExistsError:
        if not is_empty_folder(folder):
            return False
    try:
        (folder / mark).touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


def _number(path: Path) -> Iterator[Path]:
    """The path if nobody has it, then numbered ones, after the highest number there is."""
    taken = _list_numbered(path)
    if not taken:
        yield path
    suffix = path.suffix if path.is_file() else ""
    for number in count(max(taken, default=1) + 1):
        yield path.with_name(f"{path.name.removesuffix(suffix)}-{number}{suffix}")


def _list_numbered(path: Path) -> dict[int, Path]:
    """A path and its numbered siblings, as far as they are there."""
    suffix = path.suffix if path.is_file() else ""
    pattern = re.compile(rf"{re.escape(path.name.removesuffix(suffix))}(?:-([0-9]+))?{re.escape(suffix)}")
    found = {one: pattern.fullmatch(one.name) for one in path.parent.iterdir()} if path.parent.is_dir() else {}
    return {int(match[1] or 1): one for one, match in found.items() if match}
