"""A prior of Gaussians: it remembers a few latents, and knows no sources."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from sda.models.priors.gaussians import SequenceDensity
from sda.models.priors.prior import Drawn, Manner, Prior, Recording, check_names, choose_passages

MOST_LATENTS = 98_304
"""Latents that passages are taken from; of their stretches it is fitted to some drawn by chance."""
KEPT_TAIL = 2
"""Latents of the silence behind an end that belong to its path: new sound ends, too, but is not mostly silence."""


class Density(Prior):
    """A mixture of Gaussians over stretches of four latents, see `gaussians`.

    Novelty and memory are nothing to it: it never replays, nor does it know where a sound begins or ends.
    """

    name = "density"
    most_latents = MOST_LATENTS

    def __init__(self, latent_dim: int):
        super().__init__(latent_dim)
        self.mixture = SequenceDensity(latent_dim)

    def fit(self, recordings: Sequence[Recording], *, emphasis: Tensor | None = None, seed: int = 0) -> None:
        if not recordings:
            raise ValueError("a prior needs at least one recording")
        self.note_recordings(recordings)
        paths = [
            one.latents[:, one.lead : one.latents.shape[1] - max(0, one.tail - KEPT_TAIL)].cpu() for one in recordings
        ]
        passages = choose_passages([path.shape[1] for path in paths], self.most_latents)
        taken = [path[:, first:last] for path, own in zip(paths, passages, strict=True) for first, last in own]
        self.mixture.fit(taken, seed=seed)

    def sample(self, n_latents: int, seed: int, manner: Manner, *, whole: bool = False) -> Iterator[Drawn]:
        generator = torch.Generator().manual_seed(seed)
        for points in self.mixture.walk(n_latents, generator, temperature=manner.temperature):
            yield _without_sources(points)

    def continue_(
        self, past: Tensor, n_latents: int, seed: int, manner: Manner, *, future: Tensor | None = None
    ) -> Iterator[Drawn]:
        generator = torch.Generator().manual_seed(seed)
        for points in self.mixture.walk(n_latents, generator, temperature=manner.temperature, past=past):
            yield _without_sources(points)

    def vary(self, path: Tensor, strength: float, seed: int, manner: Manner) -> Iterator[Drawn]:
        first = 0
        for drawn in self.sample(path.shape[1], seed, manner):
            own = path[:, first : first + drawn.path.shape[1]].cpu()
            first += own.shape[1]
            yield drawn._replace(path=torch.lerp(own, drawn.path, strength))

    def tensors(self) -> dict[str, Tensor]:
        return {**self.mixture.state_dict(), "lengths": self.lengths}

    def facts(self) -> dict[str, Any]:
        return {"names": self.names}

    def restore(self, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
        names, lengths = check_names(facts["names"]), tensors["lengths"]
        if lengths.shape != (len(names),) or lengths.dtype != torch.int64 or int(lengths.min()) < 1:
            raise ValueError("the lengths of its recordings are none")
        own = self.mixture.state_dict()
        for key, value in own.items():
            if tensors[key].shape != value.shape or not tensors[key].isfinite().all():
                raise ValueError(f"its {key} have not the form of such")
        used = tensors["weights"] > 0
        roots = torch.linalg.cholesky_ex(tensors["covariances"][used].double())
        if not used.any() or roots.info.any():
            raise ValueError("its covariances are none")
        self.mixture.load_state_dict({key: tensors[key] for key in own})
        self.names, self.lengths = names, lengths


def _without_sources(path: Tensor) -> Drawn:
    n_latents = path.shape[1]
    return Drawn(path, torch.zeros(n_latents, 0), torch.full((n_latents,), -1))
