"""The verb train: see README.md, or `python train.py --help`."""

from sda.app.command_line import train

if __name__ == "__main__":
    train()
