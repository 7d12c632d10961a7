"""The verb generate: see README.md, or `python generate.py --help`."""

from sda.app.command_line import generate

if __name__ == "__main__":
    generate()
