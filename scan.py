"""The verb scan: see README.md, or `python scan.py --help`."""

from sda.__main__ import run_verb

if __name__ == "__main__":
    run_verb("scan")
