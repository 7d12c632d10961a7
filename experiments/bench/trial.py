"""What a section is given, and what it hands back."""

from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import torch

from experiments.bench.sounds import write_folder

PROJECT = Path(__file__).parents[2]

TINY_RATE_HZ = 16000
"""Rate of quick trials."""
TINY = (
    "model=mel_vae",
    f"audio.sample_rate_hz={TINY_RATE_HZ}",
    "audio.n_fft=512",
    "audio.hop_length=128",
    "audio.n_mels=32",
    "training.latent_dim=8",
    "training.chunk_duration_s=0.25",
    "training.batch_size=4",
    "preview.n_samples=1",
    "preview.n_variations=1",
)
"""Settings under which a step takes a moment: they show that everything runs, and nothing of how fast it is."""

Value = TypeVar("Value")


@dataclass(frozen=True)
class Figure:
    """One ratio, and what it should be."""

    what: str
    ratio: float
    at_least: float | None = None
    at_most: float | None = None
    detail: str = ""
    """What the ratio came from, for the reader."""

    @property
    def met(self) -> bool | None:
        """Whether the target is met; nothing where there is none."""
        if self.at_least is not None:
            return self.ratio >= self.at_least
        return None if self.at_most is None else self.ratio <= self.at_most

    @property
    def target(self) -> str:
        """The target as people write it; empty where there is none."""
        if self.at_least is not None:
            return f">= {self.at_least:g}"
        return "" if self.at_most is None else f"<= {self.at_most:g}"


@dataclass(frozen=True)
class Trial:
    """The conditions that all sections share."""

    folder: Path
    """Empties itself at the end: sounds, caches, runs and stores lie here."""
    given_data: str
    """Folder with sounds for the sections that train; empty for the one that comes with the project."""
    quick: bool
    device: torch.device
    file_s: float = 0.0
    """Length of the files whose number grows, seconds; 0 for what the section takes."""
    rate_hz: int = 0
    """Rate at which they are cached and heard; 0 for what is usual."""

    def pick(self, full: Value, quick: Value) -> Value:
        """One of two extents."""
        return quick if self.quick else full

    @property
    def data(self) -> Path:
        """The folder to train on; tiny sounds for a quick trial."""
        if self.given_data:
            return Path(self.given_data).expanduser().absolute()
        if not self.quick:
            return PROJECT / "experiments" / "demo" / "sounds"
        return write_folder(self.folder / "tiny_sounds", 6, 1.0)[0].parent

    @property
    def overrides(self) -> tuple[str, ...]:
        """What a training run is told beside its folders."""
        return TINY if self.quick else ()
