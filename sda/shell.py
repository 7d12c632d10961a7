"""Commands that a person can type where they stand: how a verb is called here.

A checkout has scripts beside the package (`python train.py`), and a Makefile for verbs that are none (`make ui`). The
command `sda` has them all (`sda train`), and where sda is installed there is nothing else.
"""

import os
import re
import shutil
import sys
from pathlib import Path

COMMAND = "sda"
CALLED_AS = "SDA_CALLED_AS"
"""Environment variable in which a process that was called as `sda` tells those that it starts."""
_PACKAGE = Path(__file__).resolve().parent
_NAMES = re.compile(r"sda(?:[ -]\w+)?(?:\.exe)?")
"""What the first argument of a process that was called as `sda` ends in: `sda`, `sda-train`, or `sda train`."""


def name_command(verb: str) -> str:
    """The command for a verb: `python train.py` or `sda train`, `make ui` or `sda ui`.

    A script is named where there are scripts, unless this process was called as `sda`; a target of the Makefile where
    one stands beside it.

    Args:
        verb: such as `train`, as `sda.__main__` lists them.
    """
    if _is_script(verb) and not _was_called_as_sda():
        return f"python {verb}.py"
    return f"make {verb}" if _is_target(verb) else f"{COMMAND} {verb}"


def name_verb(verb: str) -> str:
    """A verb in a sentence: `train.py` or `sda train`."""
    return name_command(verb).removeprefix("python ")


def name_installation(extra: str, packages: str) -> str:
    """How packages are installed that sda can do without: as an extra of a checkout, else by their names.

    Args:
        extra: that they belong to, as `pyproject.toml` lists them.
        packages: as pip takes them.
    """
    return f"make setup, or uv pip install -e '.[{extra}]'" if _is_checkout() else f"pip install {packages}"


def tell_started_processes() -> None:
    """Let the processes that this one starts name verbs as it does; called before there are any."""
    if _was_called_as_sda():
        os.environ[CALLED_AS] = COMMAND


def _was_called_as_sda() -> bool:
    is_told = os.environ.get(CALLED_AS) == COMMAND
    return is_told or any(_NAMES.fullmatch(Path(first).name) for first in sys.argv[:1])


def _is_checkout() -> bool:
    """Whether the package lies in a checkout; an installed one holds `conf` itself."""
    return not (_PACKAGE / "conf").exists()


def _is_script(verb: str) -> bool:
    return _is_checkout() and (_PACKAGE.parent / f"{verb}.py").is_file()


def _is_target(verb: str) -> bool:
    """Whether `make` can be told the verb where one stands: somebody else's Makefile may have one of its name."""
    try:
        rules = Path("Makefile").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return f" -m sda {verb}" in rules and shutil.which("make") is not None
