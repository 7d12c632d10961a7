"""Loudness in a path: which dimensions of its points are levels, and how many dB a unit of them is.

Letters in the shapes: `D` latent dimensions, `K` points of a path, `S` levels of a point, `N = K · S`.
"""

from dataclasses import dataclass

from torch import Tensor

from sda.audio.mel import DB_PER_NEPER


@dataclass(frozen=True)
class LoudnessScale:
    """How loudness stands in a path."""

    n_values: int
    """`S`: the first dimensions of a point, its level at so many moments; 0 where none are."""
    db: float
    """dB that a unit of it is."""
    hop_s: float
    """Seconds from one point to the next."""

    @property
    def nepers(self) -> float:
        """The same unit as a natural log of magnitude."""
        return self.db / DB_PER_NEPER

    def take_db(self, path: Tensor) -> Tensor:
        """Levels along a path, dB, up to a constant. `[D, K]` → `[N]`."""
        return path[: self.n_values].T.reshape(-1) * self.db

    def add_db(self, path: Tensor, change_db: Tensor) -> Tensor:
        """The path made louder by so much at every moment. `[D, K]`, `[N]` → `[D, K]`."""
        changed = path.clone()
        changed[: self.n_values] += (change_db / self.db).reshape(-1, self.n_values).T
        return changed
