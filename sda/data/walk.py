"""Every file below some folders, but for what sda made itself; bad ones are named without being decoded."""

import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

from sda.audio.io import SUPPORTED_SUFFIXES, explain_failure
from sda.data.beside import APPLE_DOUBLE, BESIDE, lies_beside
from sda.data.scanned import ScannedFile
from sda.printable import make_printable

RUN_FOLDER_MARK = ".hydra"
"""A folder that holds this is a run's own output and never data."""

TRACKING_FOLDERS = frozenset({"mlruns", "mlartifacts"})
"""Folders that MLflow fills with copies of a run's sounds."""

GENERATED_RECORD = "generated.json"

EVALUATION_RECORD = "evaluation.json"

EVALUATION_PAGE = "report.html"

OWN_OUTPUT = ((GENERATED_RECORD,), (EVALUATION_RECORD, EVALUATION_PAGE))
"""Files by which a folder says that a call of sda made it, and that nothing in it is data."""


def walk(roots: Sequence[Path], with_generated: bool) -> Iterator[ScannedFile]:
    """Every file below folders in a fixed order, each once; those that need not be decoded already have a reason."""
    seen = {os.path.realpath(root) for root in roots}
    for root in roots:
        yield from _walk_one(root, with_generated, seen)


def _walk_one(root: Path, with_generated: bool, seen: set[str]) -> Iterator[ScannedFile]:
    """Every file below a folder but for those in folders that were seen before, and whatever links lead there."""
    unlisted: list[OSError] = []
    for current, folders, names in os.walk(root, onerror=unlisted.append, followlinks=True):
        here = Path(current)
        kept = []
        for name in sorted(folders):
            inner = here / name
            target = os.path.realpath(inner)
            if name.startswith("."):
                yield ScannedFile(_printable(inner), reason="hidden folder")
            elif _is_run(inner) or name in TRACKING_FOLDERS:
                yield ScannedFile(_printable(inner), reason="inside a run folder: output of sda, not data")
            elif not with_generated and (record := _find_record(inner)):
                reason = f"holds {record}: output of sda, not data; take that file away if it is"
                yield ScannedFile(_printable(inner), reason=reason)
            elif target not in seen:
                seen.add(target)
                kept.append(name)
        folders[:] = kept
        for name in sorted(names):
            yield ScannedFile(_printable(here / name), reason=_refuse_unread(here / name))
    for error in unlisted:
        yield ScannedFile(_printable(Path(error.filename)), reason=explain_failure(error))


def _is_run(folder: Path) -> bool:
    """Whether a folder is a run's own output."""
    try:
        return (folder / RUN_FOLDER_MARK).is_dir()
    except OSError:  # it may not be looked into; listing it says so
        return False


def _find_record(folder: Path) -> str:
    """The file by which a folder says that a call of sda made it; empty where there is none."""
    try:
        return next((names[0] for names in OWN_OUTPUT if all((folder / name).is_file() for name in names)), "")
    except OSError:  # it may not be looked into; listing it says so
        return ""


def _refuse_unread(path: Path) -> str:
    """The reason to leave a file out without decoding it; empty when it is worth that."""
    if path.name.startswith(APPLE_DOUBLE):
        return BESIDE
    has_sounds_name = path.suffix.lower() in SUPPORTED_SUFFIXES
    problem = _refuse_unopened(path)
    if not problem and not has_sounds_name and lies_beside(path):
        return BESIDE
    if path.name.startswith("."):
        return "hidden file"
    if problem:
        return problem
    if not has_sounds_name:
        return f"unsupported format {make_printable(path.suffix) or 'without a suffix'}; convert it to WAV or FLAC"
    return "" if path.stat().st_size else "empty: the file has no bytes"


def _refuse_unopened(path: Path) -> str:
    """Why a file cannot be opened; empty when it can, as far as is known."""
    if _printable(path) != str(path):
        return "its name is not valid UTF-8; rename it"
    try:
        facts = path.stat()
    except OSError as error:  # forbidden, gone meanwhile, or a link in a circle
        nowhere = isinstance(error, FileNotFoundError) and path.is_symlink()
        return "unreadable: a link that leads nowhere" if nowhere else explain_failure(error)
    return "" if stat.S_ISREG(facts.st_mode) else "unreadable: not a regular file"


def _printable(path: Path) -> str:
    """The path as text that can be written anywhere; a name that is no UTF-8 gets a sign in place of what is not."""
    return os.fsencode(path).decode("utf-8", "replace")
