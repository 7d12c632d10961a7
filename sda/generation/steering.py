"""Controls at work: a path is moved along what a control is known to change, as much as a curve says at every moment.

Letters in the shapes: `D` latent dimensions, `K` points of a path, `T` samples.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from sda.audio.envelope import find_sound_events
from sda.generation.curves import Curve
from sda.generation.loudness import LoudnessScale


class Steering(Protocol):
    """Changes paths on their way to being heard."""

    def change(self, path: Iterable[Tensor], first: int) -> Iterator[Tensor]:
        """The path as it is heard. Blocks `[D, K]` → blocks of as many points.

        Args:
            first: where on the curves the path begins, points; what lies before 0 stays as it is.
        """

    def list_more_noise(self, places: Tensor) -> Tensor:
        """What is added to the log odds of noise at such places on the curves. `[K]` → `[K]`."""

    def amplify(self, sound: Tensor, place: int, hop_samples: int) -> Tensor:
        """What was rendered, as loud as it is asked for. `[T]` → `[T]`.

        Args:
            place: where on the curves it begins, points.
            hop_samples: from one point to the next.
        """


class Direction(NamedTuple):
    """What a control changes of every point, for one unit of its descriptor."""

    latents: Tensor
    """`[D]`."""
    more_noise: float = 0.0
    """Added to the log odds of the share of noise."""


@dataclass(frozen=True)
class ControlSteering:
    """Steers paths by controls; `Steering` as they are asked for it."""

    loudness: LoudnessScale
    moves: Sequence[tuple[Direction, Curve]] = ()
    """Directions, and how far along them at each time, in units of their descriptors."""
    gain: Curve | None = None
    """How much louder all is made that was rendered, dB."""
    falls: Curve | None = None
    """How much more quickly every event falls behind its peak, dB/s; less quickly below 0."""

    def change(self, path: Iterable[Tensor], first: int) -> Iterator[Tensor]:
        """The path as it is heard; where events are changed, it is held as a whole, 6 kB a second."""
        place = first
        for block in path if self.falls is None else [torch.cat(list(path), dim=1)]:
            places = torch.arange(place, place + block.shape[1])
            place += block.shape[1]
            moved = block
            for direction, curve in self.moves:
                moved = moved + direction.latents[:, None] * self._follow(curve, places)
            yield moved if self.falls is None else self._fall(moved, self.falls, places)

    def list_more_noise(self, places: Tensor) -> Tensor:
        """What is added to the log odds of noise at such places on the curves. `[K]` → `[K]`."""
        every = [direction.more_noise * self._follow(curve, places) for direction, curve in self.moves]
        return torch.stack(every).sum(dim=0) if every else torch.zeros(len(places))

    def amplify(self, sound: Tensor, place: int, hop_samples: int) -> Tensor:
        """What was rendered, as loud as it is asked for, without a step from point to point. `[T]` → `[T]`.

        Args:
            place: where on the curves it begins, points.
            hop_samples: from one point to the next.
        """
        if self.gain is None:
            return sound
        gain_db = self._follow(self.gain, torch.arange(len(sound) // hop_samples + 2) + place)
        samples = torch.arange(len(sound))
        points, since = samples // hop_samples, samples % hop_samples / hop_samples
        return sound * 10 ** (torch.lerp(gain_db[points], gain_db[points + 1], since) / 20)

    def _follow(self, curve: Curve, places: Tensor) -> Tensor:
        """A curve at some points; nothing before its beginning."""
        return torch.where(places >= 0, curve.at(places * self.loudness.hop_s), 0.0)

    def _fall(self, path: Tensor, falls: Curve, places: Tensor) -> Tensor:
        """Let events of a whole path fall more quickly, or more slowly, but never rise above their peak."""
        levels = self.loudness.take_db(path)
        frame_s = self.loudness.hop_s / self.loudness.n_values
        change = torch.zeros_like(levels)
        by_frame = self._follow(falls, places).repeat_interleave(self.loudness.n_values)
        for _, peak, end in find_sound_events(levels, frame_s):
            since_s = torch.arange(end - peak) * frame_s
            own = -by_frame[peak] * since_s
            room = (levels[peak] - levels[peak:end]).clamp(min=0.0)
            change[peak:end] = torch.minimum(own, room)
        return self.loudness.add_db(path, change)
