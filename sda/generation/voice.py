"""A trained network put to use: sound in, latents along time, sound out, of any length.

Letters in the shapes: `B` batch, `T` samples, `D` latent dimensions, `K` points of a path through the latent space.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor

from sda.audio.mel import Heard, LogMel
from sda.models.latents import Posterior

SEEDS_APART = 100_003
"""A prime: sound 2 of seed 1 is not sound 1 of seed 2."""


class Voice(ABC):
    """What a model can do with sound, whichever network it is.

    A path is a row of latents, `hop_samples` of sound from one to the next. All that is given back lies on the CPU.
    """

    features: LogMel
    hop_samples: int
    """Samples of sound from one point of a path to the next."""

    @abstractmethod
    def reconstruct(self, waveforms: Tensor) -> Tensor:
        """Chunks as they come back through posterior means; silence at their ends comes back as silence.

        Nothing was asked of the model there in training. `[B, T]` → `[B, T]`.
        """

    @abstractmethod
    def describe(self, waveforms: Tensor) -> Posterior:
        """Posteriors of chunks, two `[B, D, K]`."""

    @abstractmethod
    def encode(self, waveform: Tensor) -> Tensor:
        """The path that a sound of any length takes. `[T]` → `[D, K]`."""

    @abstractmethod
    def render(self, path: Tensor, n_samples: int) -> Tensor:
        """One sound along a path, without seams. `[D, K]` → `[n_samples]`; `K` is at least `count_points` of that."""

    @abstractmethod
    def count_points(self, n_samples: int) -> int:
        """Points of a path for `n_samples` of sound."""

    @abstractmethod
    def fit(self, training: Sequence[Heard]) -> None:
        """Fit the density that new paths are drawn from to batches of training chunks."""

    @abstractmethod
    def draw(self, n_points: int, seed: int) -> Tensor:
        """A new path, the same for the same seed. → `[D, n_points]`."""


def generate_sound(voice: Voice, n_samples: int, *, seed: int, number: int) -> Tensor:
    """New sound: number `number`, from 1, of those that a seed gives. → `[n_samples]` on the CPU."""
    path = voice.draw(voice.count_points(n_samples), seed * SEEDS_APART + number)
    return voice.render(path, n_samples)


def reconstruct_sound(voice: Voice, waveform: Tensor) -> Tensor:
    """A sound of any length, through the latents and back. `[T]` → `[T]` on the CPU."""
    return voice.render(voice.encode(waveform), len(waveform))


def morph(start: Tensor, end: Tensor, n_points: int) -> Tensor:
    """A path that leaves one sound's path step by step for another's; too short a one is gone back and forth along.

    Shape:
        `[D, K]` and `[D, J]` → `[D, n_points]`.

    >>> morph(torch.zeros(1, 2), torch.ones(1, 5), 3).tolist()
    [[0.0, 0.5, 1.0]]
    """
    share = torch.linspace(0.0, 1.0, n_points)
    return torch.lerp(_extend(start.cpu(), n_points), _extend(end.cpu(), n_points), share)


def _extend(path: Tensor, n_points: int) -> Tensor:
    last = path.shape[1] - 1
    if last == 0:
        return path.expand(-1, n_points)
    places = torch.arange(n_points) % (2 * last)
    return path[:, torch.minimum(places, 2 * last - places)]
