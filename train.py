"""The verb train: see README.md, or `python train.py --help`."""

from sda.__main__ import run_verb

if __name__ == "__main__":
    run_verb("train")
