"""Passages of training sound that follow each other: from places of a mosaic's bank to a path with its sources.

Letters in the shapes: `N` latents of the bank, `K` points of a path, `D` latent dimensions, `R` recordings.
"""

import torch
from torch import Tensor

from sda.errors import ConfigError
from sda.models.priors.bank import Rows
from sda.models.priors.mosaic import Mosaic
from sda.models.priors.prior import Drawn, Prior

JOIN_POINTS = 3
"""Over which one passage goes over into the next where nothing sets in: 0.13 s at 23.4 latents a second."""


def take_bank(prior: Prior, mode: str) -> Mosaic:
    """The prior, where it is one that remembers training sound.

    Raises:
        ConfigError: it is none, or was not fitted.
    """
    if not isinstance(prior, Mosaic):
        raise ConfigError(
            f"mode={mode} is made of passages of training sound, which this run's prior, {prior.name}, does not keep. "
            "Train with model=spectral_vae prior.name=mosaic, both the default."
        )
    if not len(prior.rows.latents):
        raise ConfigError(f"mode={mode} is not possible with this run: its prior was not fitted. Train it to its end.")
    return prior


def find_successors(rows: Rows) -> Tensor:
    """Which latents of the bank go on in the one behind them, in the same recording, bool `[N]`."""
    goes_on = torch.zeros(len(rows.owner), dtype=torch.bool)
    goes_on[:-1] = (rows.owner.diff() == 0) & (rows.row.diff() == 0) & (rows.place.diff() == 1)
    return goes_on


class Player:
    """Turns places of the bank into a path, stretch after stretch, with joins that are soft or sharp.

    Args:
        n_recordings: columns of the shares.
    """

    def __init__(self, rows: Rows, n_recordings: int):
        self.rows = rows
        self.n_recordings = n_recordings
        self._goes_on = find_successors(rows)
        self._last = -1
        self._old = -1
        """Where the passage before goes on while it is left; −1 if it is not heard any more."""
        self._n_left = 0

    def play(self, states: Tensor, is_sharp: Tensor) -> Drawn:
        """The path along some places; what was left at the end of a stretch goes on in the next.

        Args:
            states: places in the bank, `[K]`.
            is_sharp: where a new passage may set in at once, bool, `[K]`.
        """
        rows, n_points = self.rows, len(states)
        shares = torch.zeros(n_points, self.n_recordings)
        path = rows.latents[states].clone()
        for point, (state, sharp) in enumerate(zip(states.tolist(), is_sharp.tolist(), strict=True)):
            if self._last >= 0 and not (state == self._last + 1 and self._goes_on[self._last]):
                self._old, self._n_left = (-1, 0) if sharp else (self._last, JOIN_POINTS - 1)
            elif self._n_left:
                self._n_left -= 1
            share = 1.0
            if self._n_left and self._old >= 0:
                self._old += int(self._goes_on[self._old])  # where it ends, its last latent is held
                share = 1.0 - self._n_left / JOIN_POINTS
                path[point] = torch.lerp(rows.latents[self._old], path[point], share)
                shares[point, int(rows.owner[self._old])] += 1.0 - share
            shares[point, int(rows.owner[state])] += share
            self._last = state
        return Drawn(path.T, shares, rows.place[states])
