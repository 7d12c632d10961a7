"""The verb play: see README.md, or `python play.py --help`."""

from sda.app.command_line import play

if __name__ == "__main__":
    play()
