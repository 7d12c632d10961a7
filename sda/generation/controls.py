"""Controls: what is to be done to latents so that a descriptor of the sound changes, and the others do not.

Latents that go along with a descriptor in sound need not change it when they are moved. So they are moved: paths are
drawn as new sound is, every dimension is pushed a little by chance, both are rendered, and what the descriptors of the
rendered sound changed by is regressed on the push. Of all pushes that change one descriptor by a unit and leave the
others, a control takes the likeliest, as sounds vary.

Letters in the shapes: `D` latent dimensions, `T` those that are pushed and one for the share of noise, `S` segments,
`Q` descriptors.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from sda.audio.descriptors import Describer
from sda.generation.curves import Curve
from sda.generation.loudness import LoudnessScale
from sda.generation.steering import ControlSteering, Direction
from sda.generation.synthesizer import Synthesizer, take_seed

LEVEL = "level"
"""Steered by the gain of what was rendered: a network that is told to be louder changes its timbre too."""
DECAY = "decay"
"""Steered through the events in the loudness."""
REGRESSED = ("brightness", "noisiness", "pitch_strength", "roughness")
"""Descriptors whose change is regressed, in the order of the axes."""
KEPT = (LEVEL, *REGRESSED)
"""Descriptors that a control leaves as they are, but for its own."""
N_PATHS = 48
"""New paths that are pushed; with fewer, which controls have a name hangs on which they are."""
PATH_SEGMENTS = 8
"""Pushes along each."""
SEGMENT_S = 0.7
"""So long every push lasts: what a point sounds like depends on those around it."""
SETTLED = 3
"""Points at either end of a segment that are not listened to."""
PUSH = 0.5
"""Size of a push, relative to how latents vary."""
PUSH_ODDS = 2.0
"""Size of a push of the log odds of noise, which is also how much they are taken to vary."""
RIDGE = 1e-3
"""Of the regression, relative to how latents vary."""

ORDER = (LEVEL, "brightness", "noisiness", DECAY, "pitch_strength", "roughness")
"""All that may be controlled, in the order in which axes are numbered."""


@dataclass(frozen=True)
class Controls:
    """What a model can be steered by; whether it keeps its word is another question, see `sda.evaluation.controls`."""

    loudness: LoudnessScale
    directions: Mapping[str, Direction]
    """By descriptor, for one unit of it."""

    @property
    def keys(self) -> tuple[str, ...]:
        """The descriptors that can be steered at all."""
        of_loudness = (LEVEL, DECAY) if self.loudness.n_values else ()
        return tuple(key for key in ORDER if key in self.directions or key in of_loudness)

    def steer(self, curves: Mapping[str, Curve]) -> ControlSteering:
        """By how much of each descriptor, in its unit, at every moment."""
        moves = [(self.directions[key], curve) for key, curve in curves.items() if key in self.directions]
        return ControlSteering(self.loudness, moves, gain=curves.get(LEVEL), falls=curves.get(DECAY))


@torch.no_grad()
def fit_controls(
    synthesizer: Synthesizer, seed: int = 0, *, advance: Callable[[float], None] = lambda _: None
) -> Controls:
    """Find directions by pushing and listening, half a CPU minute or so. The same seed gives the same ones.

    Args:
        seed: of the paths, the pushes and the noise.
        advance: told now and then how much of it is done, in [0, 1].

    Reference:
        Pearl, "Causality", 2009, section 3.2 (doing is not seeing); the constrained least-change is the conditional
        mean of a Gaussian, Bishop, "Pattern Recognition and Machine Learning", 2006, equation 2.81.
    """
    rate_hz, n_loudness = synthesizer.features.sample_rate_hz, synthesizer.n_loudness
    n_segment = max(2 * SETTLED + 2, round(SEGMENT_S * rate_hz / synthesizer.hop_samples))
    generator = torch.Generator().manual_seed(seed)
    paths = [synthesizer.sample(PATH_SEGMENTS * n_segment, take_seed(seed, number)) for number in range(1, N_PATHS + 1)]
    varied = _spread(torch.cat(paths, dim=1)[n_loudness:])
    listener = _Listener(synthesizer, n_segment)
    pushes, changes = [], []
    for number, path in enumerate(paths):
        push = torch.randn(PATH_SEGMENTS, len(varied), generator=generator) @ varied.T * PUSH
        odds = torch.randn(PATH_SEGMENTS, generator=generator) * PUSH_ODDS * PUSH
        before = listener.hear(path, number, None)
        pushed = path.clone()
        pushed[n_loudness:] += push.T.repeat_interleave(n_segment, dim=1)
        behind = listener.hear(pushed, number, odds)
        pushes.append(torch.cat([push, odds[:, None]], dim=1))
        changes.append(behind - before)
        advance((number + 1) / len(paths))
    return _regress(torch.cat(pushes), torch.cat(changes), varied @ varied.T, synthesizer)


def _spread(latents: Tensor) -> Tensor:
    """A root of the covariance of some dimensions: `[T, K]` → `[T, T]`."""
    covariance = torch.cov(latents.double())
    level = float(covariance.diagonal().mean()) * 1e-4 + 1e-9
    root: Tensor = torch.linalg.cholesky(covariance + level * torch.eye(len(covariance), dtype=torch.float64))
    return root.float()


class _Listener:
    """Describes what is rendered of paths, segment by segment."""

    def __init__(self, synthesizer: Synthesizer, n_segment: int):
        self.synthesizer = synthesizer
        self.n_segment = n_segment
        self.describer = Describer(synthesizer.features.sample_rate_hz)

    def hear(self, path: Tensor, seed: int, odds: Tensor | None) -> Tensor:
        """`[D, S · n_segment]` → `[S, Q]`, NaN where a segment has none of a descriptor."""
        synthesizer, n_segment = self.synthesizer, self.n_segment
        if odds is not None:
            loudness = synthesizer.loudness
            times_s = tuple(loudness.hop_s * n_segment * place for place in range(len(odds)) for _ in (0, 1))[1:]
            steps = Curve(times_s, tuple(float(value) for value in odds.repeat_interleave(2)[:-1]))
            noisier = Direction(torch.zeros(len(path)), more_noise=1.0)
            synthesizer = synthesizer.adapted(steering=ControlSteering(loudness, [(noisier, steps)]))
        sound = synthesizer.decode(path, path.shape[1] * synthesizer.hop_samples, seed)
        followed = self.describer.follow(sound)
        scale = synthesizer.hop_samples / self.describer.hop_samples
        rows = []
        for place in range(path.shape[1] // n_segment):
            first, last = place * n_segment + SETTLED, (place + 1) * n_segment - SETTLED
            inside = slice(round(first * scale), max(round(first * scale) + 1, round(last * scale)))
            rows.append(torch.stack([followed[name][inside].nanmean() for name in KEPT]))
        return torch.stack(rows)


def _regress(pushes: Tensor, changes: Tensor, covariance: Tensor, synthesizer: Synthesizer) -> Controls:
    """Directions from pushes `[S, T]` and what they changed `[S, Q]`, and the covariance of what was pushed."""
    known = changes.isfinite().all(dim=1)
    pushes, changes = pushes[known].double(), changes[known].double()
    n_pushed = pushes.shape[1]
    varied = torch.zeros(n_pushed, n_pushed, dtype=torch.float64)
    varied[:-1, :-1] = covariance.double()
    varied[-1, -1] = PUSH_ODDS**2 if synthesizer.writes_noise else 0.0
    # Ridge in the coordinates in which sounds vary by one.
    precision = torch.linalg.pinv(varied) * (RIDGE * len(pushes))
    weights = torch.linalg.solve(pushes.T @ pushes + precision, pushes.T @ changes).T  # [Q, T]
    moved = varied @ weights.T  # [T, Q]
    least = 1e-9 * torch.eye(len(weights), dtype=torch.float64)
    units = moved @ torch.linalg.inv(weights @ moved + least)
    loudness, directions = synthesizer.loudness, {}
    for name in REGRESSED:
        unit = units[:, KEPT.index(name)].float()
        latents = torch.cat([torch.zeros(loudness.n_values), unit[:-1]])
        directions[name] = Direction(latents, float(unit[-1]))
    return Controls(loudness, directions)
