"""Text from anywhere, such as names of files, made fit to be shown: signs escaped, and names told apart."""

from collections import Counter
from collections.abc import Iterable
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


def name_apart(paths: Iterable[str]) -> dict[str, str]:
    """Names of files by their paths, with as many of their folders as tell apart those that have one name.

    >>> name_apart(["/sounds/a/1.wav", "/sounds/b/1.wav", "/sounds/b/2.wav"])
    {'/sounds/a/1.wav': 'a/1.wav', '/sounds/b/1.wav': 'b/1.wav', '/sounds/b/2.wav': '2.wav'}
    """
    named = {path: Path(path).name for path in paths}
    n_parts, n_of = 1, Counter(named.values())
    while alike := [path for path, name in named.items() if n_of[name] > 1 and len(Path(path).parts) > n_parts]:
        n_parts += 1
        named |= {path: Path(*Path(path).parts[-n_parts:]).as_posix() for path in alike}
        n_of = Counter(named.values())
    return named
