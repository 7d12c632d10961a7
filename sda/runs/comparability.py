"""Whether one figure of several runs can be compared: only of the same sounds, and of losses that are made up alike."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypedDict

from sda.config.plain import format_plain
from sda.config.schema import TrainRunConfig
from sda.config_field import list_traits
from sda.errors import DamagedError
from sda.runs.folder import MANIFEST, flatten
from sda.stored import pass_over, read_stored

LOSS = "best_val_loss"
"""The objective that is what a run makes small: its terms and weights are the run's own."""

_IN_LOSS = tuple(key for key, traits in list_traits(TrainRunConfig).items() if traits.in_loss)


class Judged(NamedTuple):
    """By what sound a run was judged."""

    fingerprint: str
    """Of all its sounds; empty where it is not known."""
    held_out: frozenset[str]
    """Contents that were held out, in whole or in part."""


class Judgement(NamedTuple):
    """A run that is to be ranked, as far as it decides with which others it can be."""

    run_dir: Path
    repetition: str
    """Its seed and fold: runs that share them hold out the same of the same sounds."""
    config: dict[str, Any]


def find_obstacle(runs: Sequence[Judgement], objective: str) -> str:
    """Why runs cannot be ranked by a figure, with what to do; empty where nothing stands against it."""
    judged = [read_judged(run.run_dir) for run in runs]
    n_corpora = len({one.fingerprint for one in judged} - {""})
    if n_corpora > 1:
        return (
            f"the runs were judged on {n_corpora} different sets of sounds, and a figure of one says nothing of "
            "another. Compare runs of the same sounds"
        )
    if objective == LOSS and len({_describe_loss(run.config) for run in runs}) > 1:
        return (
            "models, or the terms and weights of their losses, differ, so that losses cannot be compared. Rank by "
            "mr_stft, say"
        )
    held_out: dict[str, set[frozenset[str]]] = {}
    for run, one in zip(runs, judged, strict=True):
        if one.fingerprint:
            held_out.setdefault(run.repetition, set()).add(one.held_out)
    differing = [repetition for repetition, found in held_out.items() if len(found) > 1]
    if differing:
        return (
            f"runs of {differing[0]} were judged on different files of the same sounds. Compare runs that hold out the "
            "same: as large a training.val_fraction, and the same data.group_by and data.folds"
        )
    return ""


class _ManifestFile(TypedDict, total=False):
    split: str | None
    sha256: str


class _Manifest(TypedDict, total=False):
    fingerprint: str
    files: list[_ManifestFile]


def read_judged(run_dir: Path) -> Judged:
    """What a run's manifest says of its sounds; a damaged one is named and passed over."""
    if not (run_dir / MANIFEST).is_file():
        return Judged("", frozenset())
    try:
        manifest = read_stored(run_dir / MANIFEST, _Manifest)
    except DamagedError as damage:
        pass_over(damage)
        return Judged("", frozenset())
    judging = (file for file in manifest.get("files", []) if file.get("split") in ("val", "both"))
    return Judged(manifest.get("fingerprint", ""), frozenset(file.get("sha256", "") for file in judging))


def _describe_loss(config: dict[str, Any]) -> str:
    """What decides how a run's loss is made up, as text; whatever a stranger's configuration holds."""
    values = flatten(config)
    return format_plain({key: values[key] for key in _IN_LOSS if key in values})
