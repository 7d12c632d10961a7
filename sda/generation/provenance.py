"""What a generated sound is made of: the recordings that every stretch of it came from, with their shares.

Letters in the shapes: `K` latents, `R` recordings.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from sda.models.priors.prior import Drawn

STRETCH_S = 0.5
"""Length of the stretches that are told apart."""
LEAST_SHARE = 0.02
"""Recordings with less of a stretch are not named."""


def list_main(made_of: dict[str, Any]) -> list[str]:
    """The recordings with a share of a sound that is worth naming, the largest first.

    Args:
        made_of: what the sound is made of, see `Provenance.describe`.

    >>> list_main({"shares": {"a.wav": 0.9, "b.wav": 0.09, "c.wav": 0.01}})
    ['a.wav', 'b.wav']
    """
    return [name for name, share in made_of["shares"].items() if share >= LEAST_SHARE]


class Provenance:
    """Collects the sources of a sound while its path is drawn; what is kept of it is small.

    Args:
        names: the prior's recordings.
        hop_s: seconds from one latent to the next.
    """

    def __init__(self, names: Sequence[str], hop_s: float):
        self.names = names
        self.hop_s = hop_s
        self.stretches: list[dict[str, Any]] = []
        """Of each stretch, its beginning and end in seconds, and its sources: `recording`, `share`, and of the largest
        where in it, `at_s`. The rest up to 1 are recordings with less than 2 %. Empty where nothing can be known."""
        self._total = torch.zeros(len(names))
        self._n_latents = 0
        self._n_stretch = max(1, round(STRETCH_S / hop_s))
        self._held: list[Drawn] = []

    def add(self, drawn: Drawn) -> None:
        """Take note of what was drawn next."""
        if drawn.shares.shape[1] == 0:
            return
        self._total += drawn.shares.sum(dim=0)
        self._held.append(drawn._replace(path=drawn.path[:0]))
        if sum(len(one.places) for one in self._held) >= self._n_stretch:
            self._tell(whole=False)

    def describe(self) -> dict[str, Any]:
        """Everything, as a record has it; empty where nothing can be known.

        `shares` are of the sound as a whole by recording, largest first; `stretches` are the attribute of that name.
        """
        self._tell(whole=True)
        if self._n_latents == 0:
            return {}
        shares = (self._total / self._n_latents).tolist()
        listed = sorted(zip(shares, self.names, strict=True), reverse=True)
        return {
            "shares": {name: round(share, 4) for share, name in listed if share >= 0.0001},
            "stretches": self.stretches,
        }

    def _tell(self, whole: bool) -> None:
        """Describe as many stretches as are there; `whole` if no more come."""
        if not self._held:
            return
        shares = torch.cat([one.shares for one in self._held])
        places = torch.cat([one.places for one in self._held])
        n = self._n_stretch
        n_told = len(places) if whole else len(places) // n * n
        for first in range(0, n_told, n):
            self._describe_stretch(shares[first : first + n], places[first : first + n])
        rest = slice(n_told, None)
        self._held = [Drawn(torch.zeros(0), shares[rest], places[rest])] if n_told < len(places) else []

    def _describe_stretch(self, shares: Tensor, places: Tensor) -> None:
        mean = shares.mean(dim=0)
        ranked = mean.argsort(descending=True).tolist()
        order = [ranked[0], *(number for number in ranked[1:] if mean[number] >= LEAST_SHARE)]
        sources: list[dict[str, Any]] = [
            {"recording": self.names[number], "share": round(float(mean[number]), 4)} for number in order
        ]
        largest = (shares.argmax(dim=1) == order[0]).nonzero()[:, 0]
        if len(largest):
            surest = int(largest[shares[largest, order[0]].argmax()])
            sources[0]["at_s"] = round(max(0.0, float(places[surest] - surest) * self.hop_s), 3)
        start, self._n_latents = self._n_latents, self._n_latents + len(places)
        self.stretches.append(
            {
                "start_s": round(start * self.hop_s, 3),
                "end_s": round(self._n_latents * self.hop_s, 3),
                "sources": sources,
            }
        )
