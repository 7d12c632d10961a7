"""A model in one file: safetensors, with the network, its prior, and in the header what there is to say of them.

The header's `__metadata__` has one entry, `sda`, a JSON text: see `Facts`. It begins with `sha256`, the hash of the
whole file with zeros in the place of that hash: it tells damage, and not who wrote the file.
"""

import hashlib
import json
from pathlib import Path
from typing import Any, TypedDict

from sda import __version__
from sda.durable import write_bytes
from sda.export.description import Description
from sda.generation.synthesizer import Synthesizer
from sda.runs.controls_record import spell_controls
from sda.training.checkpoint import PRIOR
from sda.training.state import list_tensors

SUFFIX = ".sda"
SCHEMA = 1
ENTRY = "sda"
"""Key of the facts in the header's metadata."""
DIGEST = "sha256"
"""Key of the hash among the facts."""
NO_DIGEST = "0" * 64
"""What is hashed in its place."""


class SplitFacts(TypedDict):
    """What was trained on and what was held out, by what the recordings are called."""

    train: list[tuple[str, float, float | None]]
    """Each with its beginning and end in seconds; null for the recording's own end."""
    val: list[tuple[str, float, float | None]]
    weakness: str
    set_aside: list[str]


class Facts(TypedDict):
    """What the header says, but for the hash."""

    schema: int
    version: str
    """Of the sda that wrote it."""
    name: str
    epoch: int
    license: str
    label: str
    verdict: str
    figures: dict[str, float]
    has_names: bool
    holds_sound: bool
    config: dict[str, Any]
    prior: dict[str, Any]
    """The prior's name, and its recordings as they are called."""
    files: dict[str, str]
    groups: dict[str, str]
    split: SplitFacts
    durations_s: dict[str, float]
    controls: dict[str, Any] | None


def write_model_file(synthesizer: Synthesizer, description: Description, folder: Path) -> list[Path]:
    """Write `NAME.sda` into a folder; the same model and description give the same bytes.

    Raises:
        OSError: it cannot be written.
    """
    from safetensors.torch import save

    named = list_tensors(synthesizer.model)
    named |= {f"{PRIOR}/{key}": tensor for key, tensor in synthesizer.prior.tensors().items()}
    tensors = {key: tensor.detach().cpu().contiguous() for key, tensor in named.items()}
    facts = json.dumps({DIGEST: NO_DIGEST, **list_facts(synthesizer, description)}, allow_nan=False)
    content = bytearray(save(tensors, metadata={ENTRY: facts}))
    place = content.index(NO_DIGEST.encode())
    content[place : place + len(NO_DIGEST)] = hashlib.sha256(content).hexdigest().encode()
    path = folder / f"{description.name}{SUFFIX}"
    write_bytes(path, bytes(content))
    return [path]


def list_facts(synthesizer: Synthesizer, description: Description) -> Facts:
    """What the header says."""
    prior = synthesizer.prior
    return Facts(
        schema=SCHEMA,
        version=__version__,
        name=description.name,
        epoch=description.epoch,
        license=description.license,
        label=description.label,
        verdict=description.verdict,
        figures=dict(description.figures),
        has_names=description.has_names,
        holds_sound=description.holds_sound,
        config=description.config,
        prior={"name": prior.name, **prior.facts()},
        files=dict(description.files),
        groups=dict(description.groups),
        split=SplitFacts(**({"train": [], "val": [], "weakness": "", "set_aside": []} | dict(description.split))),  # type: ignore[typeddict-item]
        durations_s=dict(description.durations_s),
        controls=None if description.controls is None else spell_controls(description.controls),
    )
