"""Files of a run on their way to MLflow: only what lies in the run's own folder, and only to where a store may be.

A journal may name any path and a store may name any place. Neither is obeyed: a file goes if it is a plain one inside
the run's folder, and it goes where a store of its kind keeps files.
"""

import os
from pathlib import Path
from urllib.parse import unquote, urlparse

from sda.errors import TrackingError
from sda.plain_files import open_plain


def locate(run_dir: Path, path: str) -> str:
    """A file's path relative to the run's folder that it lies in; empty where it lies elsewhere."""
    folder, place = run_dir.resolve(), Path(path).resolve()
    return place.relative_to(folder).as_posix() if place.is_relative_to(folder) else ""


def find_file(run_dir: Path, relative: str) -> Path | None:
    """A plain file inside a run's folder; nothing where there is none, or a link leads out of it."""
    path = run_dir / relative
    if not locate(run_dir, str(path)):
        return None
    try:
        open_plain(path).close()
    except OSError:
        return None
    return path


def check_place(artifact_uri: str, store_uri: str) -> None:
    """See that a store keeps files where one of its kind does.

    An embedded store keeps them in its own folder. A server is never let choose a folder on this machine.

    Raises:
        TrackingError: it does not; nothing was written.
    """
    scheme = urlparse(artifact_uri).scheme.lower()
    is_local = scheme in ("", "file") or len(scheme) == 1  # a drive of Windows
    if not store_uri.startswith("sqlite:///"):
        if is_local:
            raise TrackingError(
                f"the server at {store_uri} would have files written to {artifact_uri} on this machine, which no "
                "server is let do. Let it take them itself (mlflow server --artifacts-destination …), or name an "
                "object store."
            )
        return
    home = Path(store_uri.removeprefix("sqlite:///")).parent.resolve()
    if not is_local or not _to_path(artifact_uri).resolve().is_relative_to(home):
        raise TrackingError(
            f"the store {store_uri} would have files sent to {artifact_uri}, outside its own folder {home}. "
            "Take another experiment (tracking.experiment=NAME) or another store (tracking.uri=sqlite:///FILE)."
        )


def _to_path(artifact_uri: str) -> Path:
    parts = urlparse(artifact_uri)
    if parts.netloc not in ("", "localhost"):
        return Path(os.sep)  # a share of another machine: inside no folder of ours
    return Path(unquote(parts.path)) if parts.scheme == "file" else Path(artifact_uri)
