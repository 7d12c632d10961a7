"""A file system that is too small, and then is not; needs Linux and root."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path


def can_mount() -> bool:
    """Whether this process may mount file systems."""
    if os.name != "posix" or os.geteuid() != 0 or shutil.which("mount") is None:
        return False
    with tempfile.TemporaryDirectory() as folder:
        if not _run("mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", folder):
            return False
        return _run("umount", folder)


class SmallDisk:
    """A folder that holds so many kilobytes."""

    def __init__(self, folder: Path, size_kb: int):
        folder.mkdir()
        self.folder = folder
        self._mount("size", size_kb)

    def enlarge(self) -> None:
        """Make room for everything."""
        self._mount("remount,size", 200_000)

    def remove(self) -> None:
        """Give the folder back, empty."""
        _run("umount", "-l", str(self.folder))

    def _mount(self, options: str, size_kb: int) -> None:
        if not _run("mount", "-t", "tmpfs", "-o", f"{options}={size_kb}k", "tmpfs", str(self.folder)):
            raise OSError(f"{self.folder} cannot be mounted")


def _run(*command: str) -> bool:
    return subprocess.run(command, capture_output=True, check=False).returncode == 0
