"""The controls of a model in words, the same on the console, in the report and on the page to play on."""

import math
from typing import NamedTuple

from sda.audio.descriptors import DESCRIPTORS
from sda.evaluation.control_likeness import LikenessAlong
from sda.evaluation.controls import ControlProof, ProvenControls, number_axis

IN_HZ = frozenset({"brightness", "pitch"})
"""Descriptors that are log2 of Hz, and are told in Hz."""


class ControlRow(NamedTuple):
    """A control as a table has it."""

    name: str
    """Its name, or the number of its axis where it does not keep its word."""
    key: str
    """By which `generate.py` knows it."""
    range: str
    """How far its knob goes."""
    corpus: str
    """Where real sound lies."""
    correlation: str
    achieved: str
    """What the descriptor changes by, of what is asked for."""
    moves: str
    """What moves along."""
    likeness: str
    """How like real sound it is where it is turned to its ends."""


def list_control_rows(controls: ProvenControls) -> list[ControlRow]:
    """A row for each control that was tried, those with a name first."""
    rows = [_describe(proof, is_named=controls.is_named(proof.key)) for proof in controls.proofs]
    return sorted(rows, key=lambda row: row.name.startswith("axis"))


def describe_unit(key: str) -> str:
    """The unit of a control, with a space before it; nothing where it has none."""
    unit = DESCRIPTORS[key].unit
    return f" {unit}" if unit else ""


def tell_moving_along(proof: ControlProof) -> str:
    """What moves along with a control, and how much of its own range, relative to the control's; empty for nothing."""
    moving = sorted(proof.list_moving_along().items(), key=lambda item: -item[1])
    return ", ".join(f"{DESCRIPTORS[name].term} {share:.2f}" for name, share in moving)


def _describe(proof: ControlProof, *, is_named: bool) -> ControlRow:
    key, unit = proof.key, describe_unit(proof.key)
    digits = DESCRIPTORS[key].digits
    axis = f"axis {number_axis(key)}"
    ends = (_in_hz(value) if key in IN_HZ else f"{value:.{digits}f}{unit}" for value in proof.corpus)
    is_measured = math.isfinite(proof.correlation.value)
    return ControlRow(
        name=key.replace("_", " ") if is_named else f"{axis} ({DESCRIPTORS[key].term})",
        key=key if is_named else axis.replace(" ", "_"),
        range=f"±{proof.reach:.{digits}f}{unit}",
        corpus=" to ".join(ends),
        correlation=f"{proof.correlation}, {proof.n_files} files" if is_measured else "not measured",
        achieved=str(proof.achieved) if is_measured else "–",
        moves=tell_moving_along(proof) or "–",
        likeness=_tell_likeness(proof.likeness),
    )


def _tell_likeness(along: LikenessAlong) -> str:
    """MMD² to real sound at the low end, at rest and at the high end."""
    return "not measured" if any(map(math.isnan, along)) else f"{along.low:.2f}, {along.rest:.2f}, {along.high:.2f}"


def _in_hz(octaves: float) -> str:
    hz = 2.0**octaves
    return f"{hz / 1000:.1f} kHz" if hz >= 1000 else f"{hz:.0f} Hz"
