"""The verb play: see README.md, or `python play.py --help`."""

from sda.__main__ import run_verb

if __name__ == "__main__":
    run_verb("play")
