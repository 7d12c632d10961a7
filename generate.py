"""The verb generate: see README.md, or `python generate.py --help`."""

from sda.__main__ import run_verb

if __name__ == "__main__":
    run_verb("generate")
