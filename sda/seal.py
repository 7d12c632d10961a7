"""Seals: what this installation wrote, told from what anybody else did.

A secret is made once for each user (`installation.key` in `$SDA_STATE_DIR`, or the system's folder for a program's
data) and never leaves that folder. What decides where files are written or sent to carries an HMAC-SHA256 under it.
Without the secret no such seal can be made, so that a run's folder, wherever it comes from, can say nothing of that.

Reference: RFC 2104, HMAC: Keyed-Hashing for Message Authentication.
"""

import hashlib
import hmac
import json
import os
import secrets
import stat
from functools import cache
from pathlib import Path
from typing import Any

import platformdirs
from filelock import FileLock

from sda.durable import sync_folder, write_json
from sda.errors import SealError
from sda.plain_files import read_json, read_plain

ENVIRONMENT_VARIABLE = "SDA_STATE_DIR"
KEY = "installation.key"
SEAL = "seal"
"""Key of a JSON file under which its seal stands."""
ORIGIN = "origin.json"
"""Sealed file by which a folder is known as one that was begun here."""
RUN, SWEEP = "run", "sweep"
_SECRET_BYTES = 32


def default_state_dir() -> Path:
    """`$SDA_STATE_DIR`, or the system's folder for a program's own data."""
    return Path(os.environ.get(ENVIRONMENT_VARIABLE) or platformdirs.user_data_path("sda")).expanduser().absolute()


def compute_seal(purpose: str, values: Any) -> str:
    """The seal of JSON-ready values, as hexadecimal digits.

    Args:
        purpose: what the values are for: a seal for one purpose does not hold for another.

    Raises:
        SealError: the secret cannot be kept, or others can read it.
    """
    content = json.dumps([purpose, values], sort_keys=True, ensure_ascii=True)
    return hmac.new(_read_secret(default_state_dir()), content.encode(), hashlib.sha256).hexdigest()


def holds(seal: object, purpose: str, values: Any) -> bool:
    """Whether a seal was made by this installation, for this purpose and these values."""
    return isinstance(seal, str) and hmac.compare_digest(seal.encode(), compute_seal(purpose, values).encode())


def write_sealed(path: Path, purpose: str, values: dict[str, Any]) -> None:
    """Replace a JSON file like `write_json`, sealed.

    Raises:
        OSError: the folder cannot be written.
        SealError: the secret cannot be kept.
    """
    plain = json.loads(json.dumps(values))  # as it will be read: tuples are lists
    write_json(path, {**plain, SEAL: compute_seal(purpose, plain)})


def read_sealed(path: Path, purpose: str) -> dict[str, Any] | None:
    """What `write_sealed` wrote; nothing where the file is missing, damaged, or not this installation's."""
    try:
        values = read_json(path)
    except (OSError, ValueError):
        return None
    if not isinstance(values, dict):
        return None
    seal = values.pop(SEAL, None)
    return values if holds(seal, purpose, values) else None


def mark_own(folder: Path, kind: str = RUN, **facts: Any) -> None:
    """Seal a run's or a sweep's folder as begun by this installation.

    Args:
        kind: `RUN` or `SWEEP`; the seal of one does not hold for the other.
        facts: what else is to be believed of it, as `read_origin` gives it back.

    Raises:
        OSError: the folder cannot be written.
        SealError: the secret cannot be kept.
    """
    known = read_origin(folder, kind) or {"id": secrets.token_hex(8)}
    write_sealed(folder / ORIGIN, kind, known | facts)


def read_origin(folder: Path, kind: str = RUN) -> dict[str, Any] | None:
    """What `mark_own` was told of a folder; nothing where this installation did not begin it."""
    return read_sealed(folder / ORIGIN, kind)


def is_own(folder: Path, kind: str = RUN) -> bool:
    """Whether a run or a sweep was begun by this installation: by this user, with this home."""
    return read_origin(folder, kind) is not None


def name_purpose(purpose: str, folder: Path, kind: str = RUN) -> str:
    """What something in a run's or a sweep's folder is sealed as: it holds in that run or sweep alone.

    Where nothing says whose the folder is, as in a notebook, it holds in others of the kind.
    """
    origin = read_origin(folder, kind)
    return f"{purpose} of {kind} {origin['id']}" if origin else f"{purpose} of no {kind}"


@cache
def _read_secret(folder: Path) -> bytes:
    """The secret that is kept in a folder, made where there is none; read once in the life of a process."""
    path = folder / KEY
    try:
        if not path.exists():
            _make_secret(folder)
        secret = read_plain(path)
        facts = path.stat()
    except OSError as error:
        raise SealError(
            f"{path}: {error.strerror or error}. The secret that tells your runs from those of others is kept there; "
            f"see to the folder's permissions, or give another folder with ${ENVIRONMENT_VARIABLE}."
        ) from error
    if os.name != "nt" and (facts.st_uid != os.geteuid() or stat.S_IMODE(facts.st_mode) & 0o077):
        raise SealError(
            f"{path} can be read by others, or belongs to one, so that it tells nothing any more. If nobody has used "
            f"it: chmod 600 '{path}'. Otherwise remove it: a new one is made, and earlier runs count as others'."
        )
    if len(secret) != _SECRET_BYTES:
        raise SealError(f"{path} is damaged. Remove it: a new one is made, and earlier runs count as others'.")
    return secret


def _make_secret(folder: Path) -> None:
    """Make the secret, whole or not at all, and once where several processes do."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with FileLock(folder / f".{KEY}.lock"):
        if (folder / KEY).exists():
            return
        draft = folder / f".{KEY}.{secrets.token_hex(4)}.tmp"
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(secrets.token_bytes(_SECRET_BYTES))
            file.flush()
            os.fsync(file.fileno())
        draft.replace(folder / KEY)
        sync_folder(folder)
