"""Imports what it is given: a folder that is on the path meanwhile, then names of modules."""

import importlib
import sys

folder, *names = sys.argv[1:]
sys.path[:0] = [str(folder)]
for name in names:
    importlib.import_module(name)
