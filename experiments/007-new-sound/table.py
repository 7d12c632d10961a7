"""The figures that `measure.py` wrote, as one table in Markdown.

Usage: PYTHONPATH=. python experiments/007-new-sound/table.py FOLDER_OF_JSON > experiments/007-new-sound/table.md
"""

import json
import sys
from pathlib import Path
from typing import Any

from sda.evaluation.names import EMBEDDINGS

HEADER = (
    "sounds", "way", "timbre and movement: ratio", "coverage", "sound effects: ratio", "coverage", "form", "replays",
    "collage", "level, deviation dB", "silent", "onsets a second", "harmonic",
)  # fmt: skip
REAL = "held-out, training"
REBUILT = "training, rebuilt"


def main() -> None:
    lines = [HEADER, ["---"] * len(HEADER)]
    for path in sorted(Path(sys.argv[1]).glob("*.json")):
        rows = json.loads(path.read_text())
        lines += [_tell_real(path.stem, next(iter(rows.values())))]
        lines += [_tell(path.stem, way, row) for way, row in rows.items()]
    print("\n".join("| " + " | ".join(line) + " |" for line in lines))


def _tell_real(name: str, row: dict[str, Any]) -> list[str]:
    """What real sound, and training sound through the model, come to: the same for every way."""
    pairs = [_pair(row, "level_deviation_db", 1), _pair(row, "onsets_per_s", 2)]
    floors = [_tell_estimate(row[key]["floor"]) for key in _list_embeddings(row)]
    harmonic = ", ".join(f"{row['with_harmonic_event'][kind]:.2f}" for kind in ("held_out", "train"))
    form = f"{row['form']['rebuilt']:.2f}" if "rebuilt" in row["form"] else ""
    return [
        name, f"{REBUILT}; {REAL}", floors[0], "", floors[1] if len(floors) > 1 else "", "", form,
        "", "", pairs[0], f"{row['silent_frames'].get('real', 0):.2f}", pairs[1], harmonic,
    ]  # fmt: skip


def _pair(row: dict[str, Any], trait: str, digits: int) -> str:
    return ", ".join(f"{row['traits'][kind][trait]:.{digits}f}" for kind in ("held_out", "train"))


def _tell(name: str, way: str, row: dict[str, Any]) -> list[str]:
    likeness = []
    for key in _list_embeddings(row):
        one = row[key]
        likeness += [_tell_estimate(one["ratio"]), f"{one['coverage']:.2f} ({one['coverage_train']:.2f})"]
    made, form = row["traits"]["generated"], row["form"]
    return [
        name, way, *likeness, *[""] * (4 - len(likeness)), f"{form.get('generated', float('nan')):.2f}",
        _tell_estimate(row["replay_rate"]), f"{row['collage_rate'][0]:.2f}", f"{made['level_deviation_db']:.1f}",
        f"{row['silent_frames'].get('generated', 0):.2f}", f"{made['onsets_per_s']:.2f}",
        f"{row['with_harmonic_event']['generated']:.2f}",
    ]  # fmt: skip


def _list_embeddings(row: dict[str, Any]) -> list[str]:
    return [key for key in EMBEDDINGS if key in row]


def _tell_estimate(estimate: list[float] | None) -> str:
    return "" if estimate is None else "{:.2f} ({:.2f} to {:.2f})".format(*estimate)


if __name__ == "__main__":
    main()
