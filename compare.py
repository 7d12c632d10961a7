"""The verb compare: see README.md, or `python compare.py --help`."""

from sda.__main__ import run_verb

if __name__ == "__main__":
    run_verb("compare")
