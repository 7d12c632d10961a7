"""A run's controls as they were found and tried, kept in its folder, so that they are measured once.

Only what this installation wrote, of the state that is used, is read again: a control's name is a promise.
"""

import math
from collections.abc import Iterable
from dataclasses import asdict, astuple
from pathlib import Path
from typing import Any

import torch

from sda.bootstrap import Estimate
from sda.evaluation.control_likeness import LikenessAlong
from sda.evaluation.controls import ControlProof, CorpusRange, ProvenControls
from sda.generation.controls import Controls
from sda.generation.loudness import LoudnessScale
from sda.generation.steering import Direction
from sda.seal import name_purpose, read_sealed, write_sealed

CONTROLS_RECORD = "controls.json"
PURPOSE = "controls"
SCHEMA = 2


def write_controls(run_dir: Path, proven: ProvenControls, checkpoint_sha256: str) -> None:
    """Keep what was found and tried of the state with this hash.

    Raises:
        OSError: the folder cannot be written.
    """
    values = {
        "schema": SCHEMA,
        "checkpoint_sha256": checkpoint_sha256,
        "loudness": asdict(proven.controls.loudness),
        "directions": {
            key: {"latents": direction.latents.tolist(), "more_noise": direction.more_noise}
            for key, direction in proven.controls.directions.items()
        },
        "proofs": [_spell_proof(proof) for proof in proven.proofs],
    }
    write_sealed(run_dir / CONTROLS_RECORD, name_purpose(PURPOSE, run_dir), values)


def read_controls(run_dir: Path, checkpoint_sha256: str) -> ProvenControls | None:
    """What was kept of this state; nothing where nothing was, or by another installation, or it is damaged."""
    values = read_sealed(run_dir / CONTROLS_RECORD, name_purpose(PURPOSE, run_dir))
    if values is None or values["schema"] != SCHEMA or values["checkpoint_sha256"] != checkpoint_sha256:
        return None
    directions = {
        key: Direction(torch.tensor(one["latents"]), one["more_noise"]) for key, one in values["directions"].items()
    }
    controls = Controls(LoudnessScale(**values["loudness"]), directions)
    return ProvenControls(controls, [_read_proof(one) for one in values["proofs"]])


def _spell_proof(proof: ControlProof) -> dict[str, Any]:
    spelled = {**vars(proof), "leakage": dict(proof.leakage), "corpus": list(proof.corpus)}
    estimates = {name: _spell(astuple(getattr(proof, name))) for name in ("correlation", "achieved")}
    return spelled | estimates | {"likeness": _spell(proof.likeness)}


def _read_proof(values: dict[str, Any]) -> ControlProof:
    read: dict[str, Any] = {name: Estimate(*_read(values[name])) for name in ("correlation", "achieved")}
    read |= {"likeness": LikenessAlong(*_read(values["likeness"])), "corpus": CorpusRange(*values["corpus"])}
    return ControlProof(**(values | read))


def _spell(numbers: Iterable[float]) -> list[float | None]:
    return [value if math.isfinite(value) else None for value in numbers]


def _read(values: list[float | None]) -> list[float]:
    return [math.nan if value is None else value for value in values]
