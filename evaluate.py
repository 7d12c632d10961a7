"""The verb evaluate: see README.md, or `python evaluate.py --help`."""

from sda.__main__ import run_verb

if __name__ == "__main__":
    run_verb("evaluate")
