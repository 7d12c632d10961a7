"""A folder of generated sound: written as it is made, with the record of what is there."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor

from sda.audio.sound_file import FORMATS, write_sound
from sda.data.walk import GENERATED_RECORD
from sda.durable import write_json
from sda.generation.provenance import Provenance
from sda.runs.generated_record import tell_origin
from sda.runs.outputs import is_empty_folder
from sda.training.checkpoint import hash_file


@dataclass(frozen=True)
class Made:
    """One sound, made while it is asked for, and what it is made of."""

    stretches: Iterator[Tensor]
    sources: list[str]
    """Paths; empty for a new sound."""
    provenance: Provenance | None = None
    """Collects what a new sound is made of while it is made."""
    n_silent: int = 0
    """Draws that came out silent before it."""


@dataclass
class Call:
    """One call's folder. Its record lists what is there and no more, and suffices to make every file again."""

    folder: Path
    facts: dict[str, Any]
    n: int
    """Sounds asked for."""
    files: list[dict[str, Any]] = field(default_factory=list)
    source_sha256: dict[str, str] = field(default_factory=dict)
    """Of the source files' content, by path."""

    def write(self, made: Made, sample_rate_hz: int, gain: float = 1.0) -> None:
        """Write the next sound, turned down or up as its corpus was not, and into the record that it is there.

        Args:
            sample_rate_hz: of the sound; that of the file is the record's.
        """
        number = len(self.files) + 1
        path = self.folder / f"sound_{number:03d}{FORMATS[self.facts['format']].suffix}"
        self.files.append({"file": path.name, "number": number, "sources": made.sources})
        try:
            for source in made.sources:
                self.source_sha256.setdefault(source, hash_file(Path(source).resolve()))  # a user's link is followed
            n_samples = write_sound(
                path,
                ((gain * block).numpy() for block in made.stretches),
                sample_rate_hz,
                self.facts["format"],
                file_rate_hz=self.facts["sample_rate_hz"],
                comment=tell_origin(self.facts, number),
            )
            self.files[-1] |= {"n_samples": n_samples, "sha256": hash_file(path)}
            if made.n_silent:
                self.files[-1]["n_silent_draws"] = made.n_silent
            if made.provenance is not None:
                self.files[-1]["provenance"] = made.provenance.describe()
        except BaseException:
            if not path.exists():
                self.files.pop()
            raise
        finally:
            self.record()

    def record(self) -> None:
        """Bring the record up to date.

        Raises:
            OSError: the folder cannot be written.
        """
        values = {
            **self.facts,
            "complete": len(self.files) == self.n,
            "source_sha256": self.source_sha256,
            "files": self.files,
        }
        write_json(self.folder / GENERATED_RECORD, values)

    def give_back(self, is_users: bool) -> None:
        """Leave nothing of a call that made nothing: neither the record, nor the folder if the user did not make it."""
        if not self.files:
            (self.folder / GENERATED_RECORD).unlink(missing_ok=True)
            if not is_users and is_empty_folder(self.folder):
                self.folder.rmdir()
