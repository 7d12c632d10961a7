"""A trained network put to use: sound in, latents along time, sound out, of any length.

A long sound is never held whole: it is drawn, encoded and rendered in stretches, each when it is asked for.

Letters in the shapes: `B` batch, `T` samples, `D` latent dimensions, `K` points of a path through the latent space.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from copy import copy
from typing import NamedTuple, Self

import torch
from torch import Tensor

from sda.audio.mel import LogMel
from sda.audio.waveform import Waveform, read_waveform
from sda.generation.loudness import LoudnessScale
from sda.generation.steering import Steering
from sda.models.autoencoder import Autoencoder
from sda.models.latents import Posterior
from sda.models.priors.prior import Drawn, Manner, Prior, Recording, choose_passages

SEEDS_APART = 100_003
"""A prime: sound 2 of seed 1 is not sound 1 of seed 2."""

POINTS_AT_ONCE = 1024
"""Points of a morph that are computed together."""


LEAD_POINTS, TAIL_POINTS = 2, 4
"""Points of silence that the prior is shown before a sound that begins, and behind one that ends."""

EDGE_S = 0.02
"""Length of the pieces whose level says whether a sound begins or ends."""
END_DB = -30.0
"""A sound whose last pieces lie this far below its loudest ends; one that is louder there is cut off."""


class TrainingSound(NamedTuple):
    """A sound that a prior is fitted to."""

    name: str
    waveform: Waveform
    """`[T]`, mono, without digital silence at its ends."""
    start_s: float = 0.0
    """Where it begins in the file of that name."""


class Synthesizer(ABC):
    """What a model can do with sound, whichever network it is.

    A path is a row of latents, `hop_samples` of sound from one to the next. All that is given back lies on the CPU.
    """

    model: Autoencoder
    """The network."""
    features: LogMel
    hop_samples: int
    """Samples of sound from one point of a path to the next."""
    prior: Prior
    """Where new paths come from."""
    manner: Manner
    """How they are drawn, unless it is said otherwise."""
    n_loudness: int = 0
    """Dimensions of a latent, the first ones, that are its loudness and nothing else."""
    steering: Steering | None = None
    """What every path is changed by before it is heard."""
    writes_noise: bool = False
    """Whether part of its sound is noise, drawn anew for every seed. Set to false, the deterministic part is left."""

    @property
    def db_of_loudness(self) -> float:
        """dB that a unit of each of its loudness dimensions is; 0 where there are none."""
        return 0.0

    @property
    def loudness(self) -> LoudnessScale:
        """How loudness stands in its paths."""
        return LoudnessScale(self.n_loudness, self.db_of_loudness, self.hop_samples / self.features.sample_rate_hz)

    def adapted(
        self, *, manner: Manner | None = None, writes_noise: bool | None = None, steering: Steering | None = None
    ) -> Self:
        """The same network, put to use in another way where one is given; this one stays as it is."""
        other = copy(self)
        other.manner = self.manner if manner is None else manner
        other.writes_noise = self.writes_noise if writes_noise is None else writes_noise
        other.steering = self.steering if steering is None else steering
        return other

    @abstractmethod
    def reconstruct(self, waveforms: Tensor, seed: int | None = None) -> Tensor:
        """Chunks as they come back through posterior means; silence at their ends comes back as silence.

        Nothing was asked of the model there in training. `[B, T]` → `[B, T]`.

        Args:
            seed: of the noise in the first chunk, each later one has the next; without a seed, the deterministic part
                of the sound alone is given.
        """

    @abstractmethod
    def posterior(self, waveforms: Tensor) -> Posterior:
        """Posteriors of chunks, two `[B, D, K]`."""

    @abstractmethod
    def encode_stretches(self, waveform: Iterable[Tensor]) -> Iterator[Tensor]:
        """The path that a sound of any length takes, bit by bit. Blocks `[T]` → blocks `[D, K]`."""

    @abstractmethod
    def decode_stretches(
        self, path: Iterable[Tensor], n_samples: int, seed: int | None = None, first: int = 0
    ) -> Iterator[Tensor]:
        """One sound along a path, without seams, steered as `steering` says. Blocks `[D, K]` → blocks of `n_samples`.

        Args:
            path: of `count_points` points in all.
            seed: of the noise in it, where the model writes noise; without one, the deterministic part alone is given.
            first: where on the curves of what steers it the path begins, points; what lies before 0 is not steered.
        """

    @abstractmethod
    def count_points(self, n_samples: int) -> int:
        """Points of a path for `n_samples` of sound."""

    @abstractmethod
    def weigh_dimensions(self) -> Tensor | None:
        """How much a unit of each dimension of a latent is heard, `[D]`; nothing where all of them count alike."""

    @torch.no_grad()
    def fit(self, sounds: Iterable[TrainingSound]) -> None:
        """Fit the prior to training sound; of very much of it, passages from all recordings are taken."""
        listed = list(sounds)
        lengths = [self.count_points(len(sound.waveform)) for sound in listed]
        passages = choose_passages(lengths, self.prior.most_latents)
        n_piece = round(EDGE_S * self.features.sample_rate_hz)
        recordings: list[Recording] = []
        for sound, length, taken in zip(listed, lengths, passages, strict=True):
            begins, ends = find_edges(read_waveform(sound.waveform), n_piece) if taken else (False, False)
            recordings += [
                self._listen(sound, first, last, begins=begins and first == 0, ends=ends and last == length)
                for first, last in taken
            ]
        self.prior.fit(recordings, emphasis=self.weigh_dimensions())

    def _listen(self, sound: TrainingSound, first: int, last: int, *, begins: bool, ends: bool) -> Recording:
        """The path of a passage, with silence before it where its sound begins there, and behind it where it ends."""
        rate_hz, hop = self.features.sample_rate_hz, self.hop_samples
        lead, tail = LEAD_POINTS * begins, TAIL_POINTS * ends
        is_last = last == self.count_points(len(sound.waveform))
        piece = read_waveform(sound.waveform[first * hop : None if is_last else last * hop]).cpu()
        latents = self.encode(torch.cat([torch.zeros(lead * hop), piece, torch.zeros(tail * hop)]))
        return Recording(sound.name, latents, lead, tail, start=first - lead + round(sound.start_s * rate_hz / hop))

    def encode(self, waveform: Tensor) -> Tensor:
        """The path that a sound takes. `[T]` → `[D, K]`."""
        return torch.cat(list(self.encode_stretches([waveform])), dim=1)

    def decode(self, path: Tensor, n_samples: int, seed: int | None = None) -> Tensor:
        """One sound along a path. `[D, K]` → `[n_samples]`."""
        return torch.cat(list(self.decode_stretches([path], n_samples, seed)))

    def sample_stretches(self, n_points: int, seed: int, *, whole: bool = False) -> Iterator[Drawn]:
        """A new path, the same for the same seed, with its sources. → stretches of `n_points` in all.

        Args:
            whole: it begins and ends as training sounds do.
        """
        return self.prior.sample(n_points, seed, self.manner, whole=whole)

    def sample(self, n_points: int, seed: int) -> Tensor:
        """A new path. → `[D, n_points]`."""
        return torch.cat([drawn.path for drawn in self.sample_stretches(n_points, seed)], dim=1)


def take_seed(seed: int, number: int) -> int:
    """The seed of sound `number`, from 1, of those that a seed gives."""
    return seed * SEEDS_APART + number


def draw_length(synthesizer: Synthesizer, *, seed: int, number: int) -> int:
    """How long a sound is that is as long as one of the corpus, samples; of sound `number`, from 1, of a seed."""
    return synthesizer.prior.draw_length(take_seed(seed, number)) * synthesizer.hop_samples


def find_edges(waveform: Tensor, n_piece: int) -> tuple[bool, bool]:
    """Whether a sound begins, and whether it ends, and is not cut out of something longer.

    What fades away at its end is taken to begin with its first sample, however loud that is: it was trimmed.

    Args:
        waveform: `[T]`.
        n_piece: samples over which its level is taken.
    """
    n_pieces = len(waveform) // n_piece
    if n_pieces < 4:
        return True, True
    power = waveform[: n_pieces * n_piece].view(n_pieces, n_piece).square().mean(dim=1)
    quiet = float(power.max()) * 10 ** (END_DB / 10)
    ends = float(power[-2:].max()) <= quiet
    return ends or float(power[0]) <= quiet, ends


def note_sources(stretches: Iterable[Drawn], note: Callable[[Drawn], None] | None = None) -> Iterator[Tensor]:
    """The path alone, while somebody is told where it is from."""
    for drawn in stretches:
        if note is not None:
            note(drawn)
        yield drawn.path


def generate_stretches(
    synthesizer: Synthesizer,
    n_samples: int,
    *,
    seed: int,
    number: int,
    whole: bool = False,
    note: Callable[[Drawn], None] | None = None,
) -> Iterator[Tensor]:
    """New sound: number `number`, from 1, of those that a seed gives. → blocks of `n_samples` in all, on the CPU.

    Args:
        whole: it begins and ends as training sounds do.
        note: told of every stretch of its path, where that is from.
    """
    own = take_seed(seed, number)
    drawn = synthesizer.sample_stretches(synthesizer.count_points(n_samples), own, whole=whole)
    return synthesizer.decode_stretches(note_sources(drawn, note), n_samples, own)


def generate_sound(synthesizer: Synthesizer, n_samples: int, *, seed: int, number: int, whole: bool = False) -> Tensor:
    """The same in one piece, `[n_samples]`."""
    return torch.cat(list(generate_stretches(synthesizer, n_samples, seed=seed, number=number, whole=whole)))


def reconstruct_stretches(
    synthesizer: Synthesizer, waveform: Iterable[Tensor], n_samples: int, seed: int | None = None
) -> Iterator[Tensor]:
    """A sound through the latents and back. Blocks of `n_samples` in all → the same, on the CPU.

    Args:
        seed: of the noise in it; without one, the deterministic part alone is given.
    """
    return synthesizer.decode_stretches(synthesizer.encode_stretches(waveform), n_samples, seed)


def reconstruct_sound(synthesizer: Synthesizer, waveform: Tensor, seed: int | None = None) -> Tensor:
    """The same in one piece. `[T]` → `[T]`."""
    return torch.cat(list(reconstruct_stretches(synthesizer, [waveform], len(waveform), seed)))


def encode_path(synthesizer: Synthesizer, waveform: Iterable[Tensor], most_points: int) -> Tensor:
    """The path that a sound takes, where it is needed as a whole: 6 kB a second. Blocks `[T]` → `[D, K]`.

    Args:
        most_points: `K` at most; room for so many is taken at once, as blocks kept among others scatter the memory.
    """
    path, n_points = torch.empty(0, 0), 0
    for block in synthesizer.encode_stretches(waveform):
        if n_points == 0:
            path = torch.empty(len(block), most_points)
        path[:, n_points : n_points + block.shape[1]] = block
        n_points += block.shape[1]
    return path[:, :n_points]


def morph_stretches(start: Tensor, end: Tensor, n_points: int) -> Iterator[Tensor]:
    """`morph`, in blocks."""
    share = torch.linspace(0.0, 1.0, n_points)
    for places in torch.split(torch.arange(n_points), POINTS_AT_ONCE):
        yield torch.lerp(_follow(start.cpu(), places), _follow(end.cpu(), places), share[places])


def morph(start: Tensor, end: Tensor, n_points: int) -> Tensor:
    """A path that leaves one sound's path step by step for another's; too short a one is gone back and forth along.

    Shape:
        `[D, K]` and `[D, J]` → `[D, n_points]`.

    >>> morph(torch.zeros(1, 2), torch.ones(1, 5), 3).tolist()
    [[0.0, 0.5, 1.0]]
    """
    return torch.cat(list(morph_stretches(start, end, n_points)), dim=1)


def _follow(path: Tensor, places: Tensor) -> Tensor:
    """The points of a path at places on it, back from its end where they lie beyond it."""
    last = path.shape[1] - 1
    if last == 0:
        return path.expand(-1, len(places))
    places = places % (2 * last)
    return path[:, torch.minimum(places, 2 * last - places)]
