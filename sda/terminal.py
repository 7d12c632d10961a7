"""Lines on a terminal: what would move the cursor is spelt out, words stay whole, and what is pasted in one piece."""

import re
import textwrap
from collections.abc import Sequence

from rich.console import Console

from sda.printable import make_lines_printable

_PASTED = re.compile(r"\bpython |\S*/\S+/\S+")
"""Commands, and paths of some depth."""


def print_lines(console: Console, lines: Sequence[str]) -> None:
    """Print lines, those that begin with `!` in yellow; in a terminal, words go to the next line as a whole."""
    for line in lines:
        style, text = "yellow" if line.startswith("!") else None, make_lines_printable(line)
        if console.is_terminal and not _PASTED.search(text):
            text = wrap_words(text, console.width)
        console.print(text, markup=False, highlight=False, soft_wrap=True, style=style)


def wrap_words(text: str, width: int) -> str:
    """Lines of at most `width` columns, indented as the first one and two columns more.

    >>> print(wrap_words("  dropout 0.4 (conservative)", 20))
      dropout 0.4
        (conservative)
    """
    indent = " " * (len(text) - len(text.lstrip()) + 2)
    wrapper = textwrap.TextWrapper(
        width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False, replace_whitespace=False
    )
    return "\n".join(piece for line in text.split("\n") for piece in wrapper.wrap(line) or [""])
