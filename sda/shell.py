"""Commands that a person can type where they stand."""

import shutil
from pathlib import Path


def name_command(module: str) -> str:
    """The command behind a target of the Makefile: by make in a checkout where there is one, else by its module.

    Args:
        module: such as `sda.app.ui`, whose target is `ui`.
    """
    target = module.rpartition(".")[2]
    try:
        rules = Path("Makefile").read_text(encoding="utf-8", errors="replace")
    except OSError:
        rules = ""
    return f"make {target}" if module in rules and shutil.which("make") else f"python -m {module}"
