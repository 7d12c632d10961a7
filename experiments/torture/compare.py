"""Whether a run that was killed and continued is the run that was never touched, bit for bit."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import torch

from sda.tracking.delivery_state import read_state
from sda.tracking.journal import JOURNAL, decode_line, read_journal
from sda.tracking.metric_names import name_metric
from sda.training.checkpoint import BEST, Checkpoint, open_checkpoint

TIMES = frozenset({"time", "step_time_s", "elapsed_seconds", "eta_seconds"})
"""What no two runs share."""


def find_differences(run_dir: Path, untouched: Path, n_epochs: int) -> Iterator[str]:
    """Everything in which a finished run differs from the untouched one, in words."""
    summary = json.loads((run_dir / "summary.json").read_text())
    if summary["status"] != "finished":
        yield f"status {summary['status']}"
    missing = sorted({f"epoch_{n_epochs:04d}", BEST} - {path.name for path in (run_dir / "checkpoints").glob("*")})
    if missing:
        yield f"no checkpoint {', '.join(missing)}"
        return
    for name in (f"epoch_{n_epochs:04d}", BEST):
        ours, theirs = (open_checkpoint(folder / "checkpoints" / name) for folder in (run_dir, untouched))
        yield from (f"checkpoint {name}: {what}" for what in _compare_checkpoints(ours, theirs))
    ours, theirs = ([_strip(event) for event in _list_metrics(folder)] for folder in (run_dir, untouched))
    if ours != theirs:
        yield f"journal: {len(ours)} steps and epochs, {len(theirs)} untouched, first {_first(ours, theirs)}"
    pictures = ("*.wav", "*.png")
    for path in sorted(path for pattern in pictures for path in (untouched / "previews").rglob(pattern)):
        twin = run_dir / path.relative_to(untouched)
        if not twin.is_file():
            yield f"{path.relative_to(untouched)} is missing"
        elif twin.read_bytes() != path.read_bytes():
            yield f"{path.relative_to(untouched)} differs"
    rubbish = [path.name for path in (run_dir / "checkpoints").iterdir() if path.name.startswith(".")]
    if rubbish:
        yield f"left behind: {', '.join(rubbish)}"


def find_faults(run_dir: Path, untouched: Path) -> Iterator[str]:
    """What is wrong with the journal of a run that was just killed, before anything is done about it."""
    if not (run_dir / JOURNAL).exists():
        return
    lines = (run_dir / JOURNAL).read_bytes().splitlines(keepends=True)
    whole = [line for line in lines if line.endswith(b"\n")]
    if any(decode_line(line) is None for line in whole):
        yield "a whole line is damaged"
    told = [_strip(event) for event in _list_metrics(run_dir)]
    expected = [_strip(event) for event in _list_metrics(untouched)][: len(told)]
    if told != expected:
        yield f"the journal of the killed run is no beginning of the untouched one's: {_first(told, expected)}"


def find_delivery_faults(run_dir: Path, database: Path, n_others: int = 0) -> Iterator[str]:
    """In what an MLflow store differs from a finished run's journal.

    Args:
        n_others: runs that may be in the store beside it.
    """
    state = read_state(run_dir)
    run_id = state.run_id
    with closing(sqlite3.connect(database)) as connection:
        status = dict(connection.execute("SELECT run_uuid, status FROM runs"))
        if status.get(run_id) != "FINISHED" or len(status) > 1 + n_others:
            yield f"MLflow has runs {status}, this one is {run_id}"
        for kind, prefix, names in (
            ("StepMetrics", "step", ("train_loss", "recon_loss", "kl_loss", "learning_rate")),
            ("EpochMetrics", "epoch", ("train_loss", "val_loss", "overfitting_gap")),
        ):
            events = [event for event in read_journal(run_dir / JOURNAL) if event["event"] == kind]
            for name in names:
                query = "SELECT step, value FROM metrics WHERE run_uuid = ? AND key = ? ORDER BY step, timestamp"
                key = name_metric(prefix, name, state.naming)
                stored = connection.execute(query, (run_id, key)).fetchall()
                if stored != [(event[prefix], event[name]) for event in events]:
                    yield f"MLflow's curve {key} has {len(stored)} points, the journal {len(events)}"


def _compare_checkpoints(ours: Checkpoint, theirs: Checkpoint) -> Iterator[str]:
    tensors, expected = ours.load_tensors(), theirs.load_tensors()
    if tensors.keys() != expected.keys():
        yield f"other tensors: {sorted(tensors.keys() ^ expected.keys())}"
        return
    different = [name for name, tensor in expected.items() if not torch.equal(tensors[name], tensor)]
    if different:
        yield f"{len(different)} tensors differ, such as {different[0]}"
    for what, mine, yours in (
        ("progress", ours.progress, theirs.progress),
        ("steps", ours.history.to_dict()["step_metrics"], theirs.history.to_dict()["step_metrics"]),
        ("epochs", ours.history.to_dict()["epoch_metrics"], theirs.history.to_dict()["epoch_metrics"]),
    ):
        if _strip(mine) != _strip(yours):
            yield f"{what} differ"


def _list_metrics(run_dir: Path) -> list[dict[str, Any]]:
    return [event for event in read_journal(run_dir / JOURNAL) if event["event"] in ("StepMetrics", "EpochMetrics")]


def _strip(values: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if key not in TIMES and key != "elapsed_s"}


def _first(ours: list[dict[str, Any]], theirs: list[dict[str, Any]]) -> str:
    for mine, yours in zip(ours, theirs, strict=False):
        if mine != yours:
            return f"{mine} instead of {yours}"
    return "the end"
