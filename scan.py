"""The verb scan: see README.md, or `python scan.py --help`."""

from sda.app.command_line import scan

if __name__ == "__main__":
    scan()
