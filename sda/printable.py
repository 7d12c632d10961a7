"""Escaping: text from anywhere, such as names of files, made fit to be shown."""

from pathlib import Path


def make_printable(text: str) -> str:
    r"""Text whose signs that cannot be printed, or would turn others around, are spelt out.

    >>> make_printable("a\tb")
    'a\\tb'
    """
    joiner = "\N{ZERO WIDTH JOINER}"  # part of many emoji
    return "".join(sign if sign.isprintable() or sign == joiner else ascii(sign)[1:-1] for sign in text)


def make_lines_printable(text: str) -> str:
    r"""The same for text of several lines, which stay apart.

    >>> make_lines_printable("a\x1b[2J\nb")
    'a\\x1b[2J\nb'
    """
    return "\n".join(make_printable(line) for line in text.split("\n"))


def show_name(path: str, root: str) -> str:
    r"""A path below the root, with signs that cannot be printed spelt out.

    >>> show_name("/sounds/wet\n/é 😀.wav", "/sounds")
    'wet\\n/é 😀.wav'
    """
    return make_printable(Path(path).relative_to(root).as_posix())
