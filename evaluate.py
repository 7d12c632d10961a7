"""The verb evaluate: see README.md, or `python evaluate.py --help`."""

from sda.app.command_line import evaluate

if __name__ == "__main__":
    evaluate()
