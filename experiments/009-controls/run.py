"""Prints the table of a run's controls: found, and turned on the sound that it held out.

PYTHONPATH=. python experiments/009-controls/run.py RUN [RUN …]
"""

import sys

from sda.app.loading import open_run
from sda.app.steering import find_controls
from sda.report.control_words import list_control_rows

HEADS = (
    "control",
    "range",
    "real sound",
    "rank correlation",
    "does of what is asked",
    "MMD², low, at rest, high",
    "moves along",
)


def main(runs: list[str]) -> None:
    for name in runs:
        controls = find_controls(open_run(name, "auto"))
        print(f"\n{name}\n\n| {' | '.join(HEADS)} |\n|{'---|' * len(HEADS)}")
        for row in list_control_rows(controls):
            cells = (row.name, row.range, row.corpus, row.correlation, row.achieved, row.likeness, row.moves)
            print(f"| {' | '.join(cells)} |")


if __name__ == "__main__":
    main(sys.argv[1:])
