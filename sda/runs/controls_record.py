"""A run's controls as they were found and tried, kept in its folder, so that they are measured once.

Only what this installation wrote, of the state that is used, is read again: a control's name is a promise.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, astuple
from pathlib import Path
from typing import Any, TypedDict

import torch

from sda.audio.descriptors import DESCRIPTORS
from sda.bootstrap import Estimate
from sda.evaluation.control_likeness import LikenessAlong
from sda.evaluation.controls import ControlProof, CorpusRange, ProvenControls
from sda.generation.controls import ORDER, REGRESSED, Controls
from sda.generation.loudness import LoudnessScale
from sda.generation.steering import Direction
from sda.printable import make_printable
from sda.seal import name_purpose, read_sealed, write_sealed
from sda.stored import LARGEST_FIGURE, find_misfit

CONTROLS_RECORD = "controls.json"
PURPOSE = "controls"
SCHEMA = 2


class _DirectionValues(TypedDict):
    latents: list[float]
    more_noise: float


class _ProofValues(TypedDict):
    key: str
    reach: float
    corpus: tuple[float, float]
    correlation: tuple[float | None, float | None, float | None]
    achieved: tuple[float | None, float | None, float | None]
    likeness: tuple[float | None, float | None, float | None]
    leakage: dict[str, float]
    n_files: int


class _Controls(TypedDict):
    directions: dict[str, _DirectionValues]
    proofs: list[_ProofValues]


def write_controls(run_dir: Path, proven: ProvenControls, checkpoint_sha256: str) -> None:
    """Keep what was found and tried of the state with this hash.

    Raises:
        OSError: the folder cannot be written.
    """
    values = {
        "schema": SCHEMA,
        "checkpoint_sha256": checkpoint_sha256,
        "loudness": asdict(proven.controls.loudness),
        **spell_controls(proven),
    }
    write_sealed(run_dir / CONTROLS_RECORD, name_purpose(PURPOSE, run_dir), values)


def read_controls(run_dir: Path, checkpoint_sha256: str) -> ProvenControls | None:
    """What was kept of this state; nothing where nothing was, or by another installation, or it is damaged."""
    values = read_sealed(run_dir / CONTROLS_RECORD, name_purpose(PURPOSE, run_dir))
    if values is None or values["schema"] != SCHEMA or values["checkpoint_sha256"] != checkpoint_sha256:
        return None
    return _build(values, LoudnessScale(**values["loudness"]))


def spell_controls(proven: ProvenControls) -> dict[str, Any]:
    """Controls and what was heard of them, as plain values."""
    return {
        "directions": {
            key: {"latents": direction.latents.tolist(), "more_noise": direction.more_noise}
            for key, direction in proven.controls.directions.items()
        },
        "proofs": [_spell_proof(proof) for proof in proven.proofs],
    }


def parse_controls(values: Mapping[str, Any], loudness: LoudnessScale, latent_dim: int) -> ProvenControls:
    """What `spell_controls` gave, from whomever it comes: checked to be such as can be used, and not to be true.

    Args:
        loudness: how loudness stands in the model's paths.
        latent_dim: dimensions of its latents.

    Raises:
        KeyError, TypeError, ValueError, OverflowError: they are none.
    """
    misfit = find_misfit(values, _Controls)
    if misfit:
        raise ValueError(misfit)
    numbers = []
    for key, one in values["directions"].items():
        numbers += [*one["latents"], one["more_noise"]]
        if key not in REGRESSED or len(one["latents"]) != latent_dim:
            raise ValueError(f"the direction of {make_printable(key)[:100]} is none of this model")
    for one in values["proofs"]:
        numbers += [one["reach"], *one["corpus"], *one["leakage"].values()]
        for figures in (one["correlation"], one["achieved"], one["likeness"]):
            numbers += [figure for figure in figures if figure is not None]
        if one["key"] not in ORDER or one["reach"] <= 0 or not set(one["leakage"]) <= set(DESCRIPTORS):
            raise ValueError(f"what it says of {make_printable(one['key'])[:100]} is nothing that is measured")
    if any(not abs(number) <= LARGEST_FIGURE for number in numbers):
        raise ValueError("they hold a number beyond all that is measured")
    if len({one["key"] for one in values["proofs"]}) < len(values["proofs"]):
        raise ValueError("one of them is there twice")
    return _build(values, loudness)


def _build(values: Mapping[str, Any], loudness: LoudnessScale) -> ProvenControls:
    directions = {
        key: Direction(torch.tensor(one["latents"]), one["more_noise"]) for key, one in values["directions"].items()
    }
    return ProvenControls(Controls(loudness, directions), [_read_proof(one) for one in values["proofs"]])


def _spell_proof(proof: ControlProof) -> dict[str, Any]:
    spelled = {**vars(proof), "leakage": dict(proof.leakage), "corpus": list(proof.corpus)}
    estimates = {name: _spell(astuple(getattr(proof, name))) for name in ("correlation", "achieved")}
    return spelled | estimates | {"likeness": _spell(proof.likeness)}


def _read_proof(values: Mapping[str, Any]) -> ControlProof:
    read: dict[str, Any] = {name: Estimate(*_read(values[name])) for name in ("correlation", "achieved")}
    read |= {"likeness": LikenessAlong(*_read(values["likeness"])), "corpus": CorpusRange(*values["corpus"])}
    return ControlProof(**({**values} | read))


def _spell(numbers: Iterable[float]) -> list[float | None]:
    return [value if math.isfinite(value) else None for value in numbers]


def _read(values: list[float | None]) -> list[float]:
    return [math.nan if value is None else value for value in values]
