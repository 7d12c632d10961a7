"""A model file from anybody, read with care: it is data, and what it says of itself is checked or refused.

Nothing in it names a class, a path or a server that would be used. Its header is bounded before it is read, its hash is
compared before anything is believed, and no tensor takes memory before its shape is known to be the one that the
configuration asks for.
"""

import hashlib
import json
import math
import os
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

from sda.errors import CheckpointError
from sda.export.description import NAME, Description, hide_places, leads_nowhere
from sda.export.model_file import DIGEST, ENTRY, NO_DIGEST, SCHEMA, Facts
from sda.generation.loudness import LoudnessScale
from sda.models.priors.prior import check_names
from sda.plain_files import open_plain
from sda.printable import make_lines_printable, make_printable
from sda.runs.controls_record import parse_controls
from sda.shell import name_command
from sda.stored import find_misfit
from sda.training.checkpoint import PRIOR, Checkpoint
from sda.training.metrics import MetricsHistory
from sda.training.state import MODEL_PREFIX

MOST_HEADER_BYTES = 1 << 24
"""Length of a header beyond which it is not read; those of 500 recordings have a hundredth of it."""
MOST_TEXT = 10_000
"""Letters of a text that is shown."""
_METADATA = "__metadata__"
_SHA256 = re.compile(r"[0-9a-f]{64}")
_AT_ONCE = 1 << 20


@dataclass(frozen=True)
class ModelFile:
    """A model file that was found whole; its tensors are still on disk."""

    checkpoint: Checkpoint
    """As a stranger's: without progress but for the epoch, and without history."""
    description: Description
    """What it says of itself, but for its controls."""
    controls: dict[str, Any] | None

    def read_controls(self, loudness: LoudnessScale, latent_dim: int) -> Description:
        """What it says of itself, once its model is known.

        Args:
            loudness: how loudness stands in the model's paths.

        Raises:
            CheckpointError: its controls are none of such a model.
        """
        if self.controls is None:
            return self.description
        try:
            return replace(self.description, controls=parse_controls(self.controls, loudness, latent_dim))
        except (ValueError, KeyError, TypeError, OverflowError) as error:
            raise CheckpointError(f"{self.checkpoint.folder} holds controls that are none ({error}).") from error


def open_model_file(path: Path) -> ModelFile:
    """Check a model file's header and hash, and read what it says; no tensor is loaded.

    Raises:
        CheckpointError: it is none, or damaged, or was written by a later version of sda.
    """
    try:
        path = path.resolve()
        with open_plain(path) as file:
            facts = _read_facts(file)
        _check_facts(facts)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError) as error:
        reason = make_lines_printable(str(error)).splitlines() or [type(error).__name__]
        raise CheckpointError(f"{path} is no model file that can be used: {reason[0][:300]}") from error
    config = hide_places(facts["config"])
    description = Description(
        name=facts["name"],
        epoch=facts["epoch"],
        config=config,
        license=facts["license"],
        has_names=facts["has_names"],
        holds_sound=facts["holds_sound"],
        files=facts["files"],
        groups=facts["groups"],
        split=dict(facts["split"]),
        durations_s=facts["durations_s"],
        label=facts["label"],
        verdict=facts["verdict"],
        figures=facts["figures"],
    )
    known = {"files": facts["files"], "split": dict(facts["split"]), PRIOR: facts["prior"]}
    checkpoint = Checkpoint(path, {"epoch": facts["epoch"]}, MetricsHistory(), config, known, is_file=True)
    return ModelFile(checkpoint, description, facts["controls"])


def _read_facts(file: BinaryIO) -> Facts:
    """What the header says, once the whole file is known to be what was written.

    Raises:
        ValueError, KeyError, TypeError: it is no such file, or damaged.
    """
    n_bytes = os.fstat(file.fileno()).st_size
    start = file.read(8)
    length = int.from_bytes(start, "little")
    if len(start) < 8 or not 2 <= length <= min(MOST_HEADER_BYTES, n_bytes - 8):
        raise ValueError("it does not begin as safetensors do.")
    header = file.read(length)
    values = _parse(header.decode("utf-8"))
    named = values.get(_METADATA, {}) if isinstance(values, dict) else {}
    if not isinstance(named, dict) or not isinstance(named.get(ENTRY), str):
        raise ValueError(
            f"it holds tensors, and nothing that sda wrote of them. `{name_command('export')} run=…` writes one."
        )
    facts = _parse(named[ENTRY])
    digest = facts.pop(DIGEST)
    if not isinstance(digest, str) or not _SHA256.fullmatch(digest) or header.count(digest.encode()) != 1:
        raise ValueError("its hash is none.")
    found = hashlib.sha256(start + header.replace(digest.encode(), NO_DIGEST.encode()))
    while block := file.read(_AT_ONCE):
        found.update(block)
    if found.hexdigest() != digest:
        raise ValueError("it is damaged: its content does not match its hash. Get it anew.")
    strange = [name for name in values if name != _METADATA and not name.startswith((MODEL_PREFIX, f"{PRIOR}/"))]
    if strange:
        raise ValueError(f"it holds {strange[0][:100]!r}, which is neither the model's nor its prior's.")
    taken: Facts = facts
    return taken


def _parse(text: str) -> Any:
    """JSON without what is no number."""

    def refuse(constant: str) -> NoReturn:
        raise ValueError(f"it holds {constant} where a number belongs.")

    return json.loads(text, parse_constant=refuse)


def _check_facts(facts: Facts) -> None:
    """See that facts are such as `write_model_file` writes.

    Raises:
        ValueError, TypeError: they are not.
    """
    if isinstance(facts, dict) and isinstance(facts.get("schema"), int) and facts["schema"] > SCHEMA:
        raise ValueError("it was written by a later version of sda.")
    misfit = find_misfit(facts, Facts)
    if misfit:
        raise ValueError(f"{misfit}.")
    if facts["schema"] != SCHEMA or facts["epoch"] < 0:
        raise ValueError("its schema or its epoch is none.")
    if not NAME.fullmatch(facts["name"]):
        raise ValueError("its name is none of a file.")
    _check_all("text", [facts[key] for key in ("license", "label", "verdict")], _is_text)
    _check_all("name of a recording", check_names(facts["prior"].get("names")), leads_nowhere)
    _check_all("name of a recording", [*facts["files"], *facts["groups"], *facts["groups"].values()], leads_nowhere)
    _check_all("hash of a recording", list(facts["files"].values()), lambda one: _SHA256.fullmatch(one) is not None)
    _check_all("figure", [*facts["figures"].values(), *facts["durations_s"].values()], math.isfinite)
    _check_all("figure", list(facts["figures"]), leads_nowhere)
    split = facts["split"]
    segments = [*split["train"], *split["val"]]
    used = [*(path for path, _, _ in segments), *split["set_aside"]]
    _check_all("stretch of a recording", used, lambda path: path in facts["files"])
    moments = [moment for _, *rest in segments for moment in rest if moment is not None]
    _check_all("stretch of a recording", moments, lambda moment: math.isfinite(moment) and moment >= 0)
    _check_all("text", [split["weakness"]], _is_text)


def _check_all(what: str, values: list[Any], allows: Callable[[Any], bool]) -> None:
    for value in values:
        if not allows(value):
            raise ValueError(f"{str(value)[:100]!r} is no {what} that is taken.")


def _is_text(text: str) -> bool:
    return len(text) <= MOST_TEXT and text == make_printable(text)
