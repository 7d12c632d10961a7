"""Commands that a person can type where they stand."""

import shutil
from pathlib import Path


def name_command(verb: str) -> str:
    """The command for a verb that is a target of the Makefile too: by make in a checkout where it is, else by `sda`.

    Args:
        verb: such as `ui`, as `sda.__main__` lists them.
    """
    try:
        rules = Path("Makefile").read_text(encoding="utf-8", errors="replace")
    except OSError:
        rules = ""
    return f"make {verb}" if f" -m sda {verb}" in rules and shutil.which("make") else f"sda {verb}"
