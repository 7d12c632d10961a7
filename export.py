"""The verb export: see README.md, or `python export.py --help`."""

from sda.app.command_line import export

if __name__ == "__main__":
    export()
