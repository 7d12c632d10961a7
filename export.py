"""The verb export: see README.md, or `python export.py --help`."""

from sda.__main__ import run_verb

if __name__ == "__main__":
    run_verb("export")
