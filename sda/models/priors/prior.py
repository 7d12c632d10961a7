"""What a prior is: fitted to the paths of training sound, it draws new ones, and says what they are made of.

Letters in the shapes: `D` latent dimensions, `L` latents of a recording, `K` latents of a new path, `R` recordings.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor

GOLDEN_64 = 0x9E3779B97F4A7C15
"""2⁶⁴ over the golden ratio."""
PASSAGE_LATENTS = 256
"""Of a recording that is too long to be taken whole, passages at least this long are taken, spread over it."""


@dataclass(frozen=True)
class Recording:
    """The path of a training sound, or of a passage of it."""

    name: str
    latents: Tensor
    """`[D, L]`."""
    lead: int = 0
    """How many of them are the silence that it comes out of; 0 where it is cut out of something longer."""
    tail: int = 0
    """How many are the silence that it goes into; 0 where it is cut off."""
    start: int = 0
    """Latents from the beginning of the sound of that name to the first of these; below 0 for a lead."""


@dataclass(frozen=True)
class Manner:
    """How new paths are drawn."""

    novelty: float = 0.5
    """0 stays with one recording at a time, more mixes others in, in [0, 1]."""
    memory: int = 64
    """Latents over which what comes fits what was."""
    temperature: float = 1.0
    """Scales what is left to chance; below 1 paths keep closer to what is likeliest."""


class Drawn(NamedTuple):
    """A stretch of a new path, with its sources."""

    path: Tensor
    """`[D, K]`."""
    shares: Tensor
    """What part of each latent came from each of the prior's recordings, in [0, 1], `[K, R]`; no columns where it
    cannot be known."""
    places: Tensor
    """Where in its largest source each latent was found: latents from that sound's beginning, int64, `[K]`; −1 where it
    cannot be known."""


class Prior(ABC):
    """Draws new paths. The same seed gives the same path, of whatever length; all of it lies on the CPU."""

    name: ClassVar[str]
    """What it is called in the configuration and in records."""
    holds_sound: ClassVar[bool] = False
    """Whether what is stored of it is training sound as latents, from which that can be heard again."""
    most_latents: ClassVar[int]
    """Latents that it is fitted to at most; of more, passages are taken, spread over all recordings."""

    def __init__(self, latent_dim: int):
        self.latent_dim = latent_dim
        self.names: list[str] = []
        """The recordings that it was fitted to, in the order of `Drawn.shares`."""
        self.lengths = torch.zeros(0, dtype=torch.int64)
        """Latents of each of them as a whole, `[R]`."""

    @abstractmethod
    def fit(self, recordings: Sequence[Recording], *, emphasis: Tensor | None = None, seed: int = 0) -> None:
        """Fit to the paths of training sound.

        Args:
            emphasis: how much a unit of each dimension is heard, relative to the others, `[D]`.
            seed: of whatever is left to chance.

        Raises:
            ValueError: there are no recordings.
        """

    @abstractmethod
    def sample(self, n_latents: int, seed: int, manner: Manner, *, whole: bool = False) -> Iterator[Drawn]:
        """A new path, stretch by stretch.

        Args:
            whole: it begins and ends as whole recordings do, as far as they do; else it goes on behind its end.
        """

    @abstractmethod
    def continue_(
        self, past: Tensor, n_latents: int, seed: int, manner: Manner, *, future: Tensor | None = None
    ) -> Iterator[Drawn]:
        """What comes after a path `[D, …]`, and, if one is given, before another one; neither is given back."""

    @abstractmethod
    def vary(self, path: Tensor, strength: float, seed: int, manner: Manner) -> Iterator[Drawn]:
        """A relative of a path `[D, K]`, as long as it.

        Args:
            strength: 0 is the path itself, 1 is a new one.
        """

    @abstractmethod
    def tensors(self) -> dict[str, Tensor]:
        """What was fitted, to be stored."""

    @abstractmethod
    def facts(self) -> dict[str, Any]:
        """What else there is to be stored, as JSON has it."""

    @abstractmethod
    def restore(self, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
        """Take over what `tensors` and `facts` gave, checked.

        Raises:
            KeyError, TypeError, ValueError: they are not of such a prior.
        """

    def note_recordings(self, recordings: Sequence[Recording]) -> None:
        """Take their names and lengths."""
        self.names = list(dict.fromkeys(one.name for one in recordings))
        lengths = []
        for name in self.names:
            own = [one for one in recordings if one.name == name]
            first = min(one.start + one.lead for one in own)
            lengths.append(max(one.start + one.latents.shape[1] - one.tail for one in own) - first)
        self.lengths = torch.tensor(lengths).clamp(min=1)

    def choose_recording(self, seed: int) -> int:
        """The recording that a whole sound takes after: all come up equally often."""
        return int(spread_out(seed) * len(self.names))

    def draw_length(self, seed: int) -> int:
        """The length of a whole sound, latents: that of the recording it takes after, a tenth longer or shorter at
        most."""
        change = float(torch.rand((), generator=torch.Generator().manual_seed(seed)))
        length = int(self.lengths[self.choose_recording(seed)])
        return max(1, int(length * (0.9 + 0.2 * change) + 0.5))


def spread_out(seed: int) -> float:
    """A place in [0, 1) for every seed, so that those of neighbouring seeds are spread as evenly as can be, however
    many they are: eight sounds set out from eight recordings, and not twice from one by chance.

    >>> [round(spread_out(seed), 3) for seed in range(4)]
    [0.0, 0.618, 0.236, 0.854]

    Reference:
        Knuth, "The Art of Computer Programming" 3, section 6.4, theorem S: multiples of the golden ratio.
    """
    return (seed * GOLDEN_64 % 2**64 >> 11) / 2**53


def check_names(names: Any) -> list[str]:
    """Names of recordings as they were stored.

    Raises:
        TypeError, ValueError: they are none.
    """
    if not isinstance(names, list) or not all(isinstance(one, str) for one in names):
        raise TypeError("the names of its recordings are none")
    if not names or len(set(names)) < len(names):
        raise ValueError("the names of its recordings are missing, or there twice")
    return list(names)


def join(drawn: Iterable[Drawn]) -> Drawn:
    """All stretches of a path as one."""
    paths, shares, places = zip(*drawn, strict=True)
    return Drawn(torch.cat(paths, dim=1), torch.cat(shares), torch.cat(places))


def choose_passages(lengths: Sequence[int], most: int) -> list[list[tuple[int, int]]]:
    """What of each recording is taken, first latent and the one after the last, so that it is `most` or so in all.

    Short recordings are taken whole. Of the others each gives as much, in passages spread from beginning to end.

    >>> choose_passages([3, 5], 100)
    [[(0, 3)], [(0, 5)]]
    >>> choose_passages([10, 2000], 522)
    [[(0, 10)], [(0, 256), (1744, 2000)]]
    """
    left, quota = most, max(lengths, default=0)
    if sum(lengths) > most:
        for n_done, length in enumerate(sorted(lengths)):
            quota = max(1, left // (len(lengths) - n_done))
            if length > quota:
                break
            left -= length
    return [_spread(length, quota) for length in lengths]


def _spread(length: int, quota: int) -> list[tuple[int, int]]:
    if length <= quota:
        return [(0, length)]
    n_passages = max(1, quota // PASSAGE_LATENTS)
    size = quota // n_passages
    starts = [0] if n_passages == 1 else [(length - size) * n // (n_passages - 1) for n in range(n_passages)]
    return [(start, start + size) for start in starts]
