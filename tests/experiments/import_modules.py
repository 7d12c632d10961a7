"""Imports what it is given: a folder that is on the path meanwhile, then names of modules."""

import importlib
import sys


def main() -> None:
    """Import every named module, with the folder first on the path."""
    folder, *names = sys.argv[1:]
    sys.path[:0] = [folder]
    for name in names:
        importlib.import_module(name)


if __name__ == "__main__":
    main()
