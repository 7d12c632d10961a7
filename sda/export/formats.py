"""The registry of formats: a row for each, with the function that writes it."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from sda.config.export import ExportFormat
from sda.export.description import Description
from sda.export.model_file import write_model_file
from sda.export.nn import write_nn
from sda.generation.synthesizer import Synthesizer

Write = Callable[[Synthesizer, Description, Path], list[Path]]
"""Writes a model into a new folder, with what there is to say of it; gives back the files, the main one first.

Recordings are called by the synthesizer's prior what they are to be called in the export. Everything that the user can
mend is an `SdaError`, raised before anything is written. What else a format can be told are keyword arguments with
defaults.
"""


class Format(NamedTuple):
    """A format that models are written in."""

    write: Write
    words: str
    """What it is for, in a few words."""


FORMATS: dict[ExportFormat, Format] = {
    ExportFormat.sda: Format(write_model_file, "one file that every verb of sda opens"),
    ExportFormat.nn: Format(write_nn, "plays in Max and Pure Data by nn~, and in SuperCollider by nn.ar"),
}
"""A row for each choice of `format`."""
