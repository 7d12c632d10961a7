"""The verb compare: see README.md, or `python compare.py --help`."""

from sda.app.command_line import compare

if __name__ == "__main__":
    compare()
