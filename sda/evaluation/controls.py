"""Whether controls keep their word: shown on sound that was held out, rendered, and described from outside.

Every control is turned through its range on held-out sounds; what is heard is described anew, and not what was asked
for. A control has its name only where its descriptor follows it, and those of the other controls do not. What else
moves along, as pitch strength does where bright sound is noisy sound, is told beside it.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from sda.audio.descriptors import DESCRIPTORS, CorpusRange, Describer
from sda.audio.waveform import read_waveform
from sda.bootstrap import Estimate, estimate_mean
from sda.evaluation.control_likeness import CorpusLikeness, LikenessAlong
from sda.evaluation.sounds import Sound
from sda.generation.controls import ORDER, Controls
from sda.generation.curves import Curve
from sda.generation.synthesizer import Synthesizer, take_seed
from sda.subsample import subsample_evenly

POSITIONS = (-1.0, -0.5, 0.0, 0.5, 1.0)
"""Of a knob, as shares of its range on either side."""
REACH = 0.35
"""A knob goes so much of the corpus' range to either side."""
LEAST_CORRELATION = 0.8
"""The interval of a control with a name lies above."""
LEAST_FILES = 3
"""An interval over fewer files is none to rely upon."""
MOST_LEAKAGE = 0.3
"""What a control with a name changes of another control's descriptor is less, relative to its own; both by the corpus'
range."""
MOST_STARTS = 8
MOST_REAL = 40
START_S = 3.0
QUANTILES = (0.05, 0.95)
"""Between these lies the corpus' range."""


@dataclass(frozen=True)
class ControlProof:
    """What was heard of a control."""

    key: str
    """Its descriptor."""
    reach: float
    """The knob goes so far to either side, in the descriptor's unit."""
    corpus: CorpusRange
    """Where real sound lies."""
    correlation: Estimate
    """Spearman's ρ of the knob and the descriptor, a mean over files; NaN where it could not be described."""
    achieved: Estimate
    """What the descriptor really changed by from end to end, of what was asked for."""
    leakage: Mapping[str, float]
    """By descriptor: how far it moves while the knob goes from end to end, a mean over files, relative to this one's
    change, both by the corpus' range."""
    n_files: int
    """Held-out files that it could be described on."""
    likeness: LikenessAlong = LikenessAlong()
    """How like real sound it is where the knob is turned to either end."""

    @property
    def is_followed(self) -> bool:
        """Whether its descriptor goes where it is turned."""
        return self.correlation.low > LEAST_CORRELATION and self.n_files >= LEAST_FILES

    def list_moving_along(self) -> dict[str, float]:
        """All descriptors that move along with it by more than a control with a name may move another."""
        return {name: share for name, share in self.leakage.items() if share >= MOST_LEAKAGE}


@dataclass(frozen=True)
class ProvenControls:
    """Controls, and what was heard of each."""

    controls: Controls
    proofs: Sequence[ControlProof]
    ranges: Mapping[str, CorpusRange]
    """Where every descriptor that real sound has lies in it, whether or not it can be controlled."""

    def find(self, key: str) -> ControlProof | None:
        """What was heard of a control; nothing where it could not be tried."""
        return next((proof for proof in self.proofs if proof.key == key), None)

    def is_named(self, key: str) -> bool:
        """Whether a control keeps its word, and leaves the descriptors of the other controls that are followed."""
        proof = self.find(key)
        return proof is not None and proof.is_followed and not self.list_disturbed(key)

    def list_disturbed(self, key: str) -> list[str]:
        """The other controls whose descriptors it moves."""
        proof = self.find(key)
        moving = {} if proof is None else proof.list_moving_along()
        return [other.key for other in self.proofs if other.key in moving and other.is_followed]


def number_axis(key: str) -> int:
    """The number of a control, from 1, under which it is offered where it has no name."""
    return ORDER.index(key) + 1


def take_starts(sounds: Sequence[Sound], sample_rate_hz: int) -> list[Sound]:
    """What controls are shown on: of each sound the loudest three seconds, one of each file."""
    by_name = {sound.name: sound for sound in reversed(sounds)}
    chosen = subsample_evenly([by_name[name] for name in dict.fromkeys(sound.name for sound in sounds)], MOST_STARTS)
    return [
        sound._replace(waveform=take_loudest(read_waveform(sound.waveform), round(START_S * sample_rate_hz)))
        for sound in chosen
    ]


def take_loudest(waveform: Tensor, n_samples: int) -> Tensor:
    """The stretch with the most energy, found in steps of an eighth of it. `[T]` → `[n_samples]` at most."""
    if len(waveform) <= n_samples:
        return waveform
    step = max(1, n_samples // 8)
    energy = torch.nn.functional.pad(waveform.double().square(), (0, -len(waveform) % step)).view(-1, step).sum(dim=1)
    first = int(energy.unfold(0, 8, 1).sum(dim=1).argmax()) * step
    return waveform[first : first + n_samples]


def take_real(sounds: Sequence[Sound], sample_rate_hz: int) -> list[Sound]:
    """What controls are measured against: of sounds spread over the corpus, the loudest three seconds."""
    n_samples = round(START_S * sample_rate_hz)
    chosen = subsample_evenly(list(sounds), MOST_REAL)
    return [sound._replace(waveform=take_loudest(read_waveform(sound.waveform), n_samples)) for sound in chosen]


def measure_ranges(sounds: Sequence[Sound], sample_rate_hz: int) -> dict[str, CorpusRange]:
    """Where each descriptor lies in real sound, 5 to 95 %; no closer together than what is heard as a difference."""
    describer = Describer(sample_rate_hz)
    found = [describer(read_waveform(sound.waveform)) for sound in sounds]
    ranges = {}
    for name, descriptor in DESCRIPTORS.items():
        values = [one[name] for one in found if name in one]
        if values:
            low, high = (float(value) for value in np.quantile(values, QUANTILES))
            middle, half = (low + high) / 2, max(high - low, descriptor.least) / 2
            ranges[name] = CorpusRange(middle - half, middle + half)
    return ranges


@torch.no_grad()
def prove_controls(
    synthesizer: Synthesizer,
    controls: Controls,
    held_out: Sequence[Sound],
    real: Sequence[Sound],
    seed: int = 0,
    *,
    advance: Callable[[float], None] = lambda _: None,
) -> ProvenControls:
    """Turn every control on held-out sound, and listen.

    Args:
        held_out: where to start from, see `take_starts`.
        real: what it is measured against, see `take_real`.
        advance: told now and then how much of it is done, in [0, 1].
    """
    rate_hz = synthesizer.features.sample_rate_hz
    describer, ranges, likeness = Describer(rate_hz), measure_ranges(real, rate_hz), CorpusLikeness(real, rate_hz)
    paths = [synthesizer.encode(read_waveform(sound.waveform)) for sound in held_out]
    resting = [_render(synthesizer, path, number, seed) for number, path in enumerate(paths)]
    at_rest, described_at_rest = likeness(resting), [describer(sound) for sound in resting]
    keys = [key for key in controls.keys if key in ranges]
    proofs = []
    for place, key in enumerate(keys):
        reach = REACH * ranges[key].width
        ends: dict[float, list[Tensor]] = {POSITIONS[0]: [], POSITIONS[-1]: []}
        turned = []
        for number, path in enumerate(paths):
            row = []
            for position in POSITIONS:
                if not position:
                    row.append(described_at_rest[number])
                    continue
                steering = controls.steer({key: Curve((0.0,), (position * reach,))})
                sound = _render(synthesizer.adapted(steering=steering), path, number, seed)
                row.append(describer(sound))
                if position in ends:
                    ends[position].append(sound)
            turned.append(row)
            advance((place + (number + 1) / len(paths)) / len(keys))
        low, high = (likeness(sounds) for sounds in ends.values())
        proof = judge_control(key, reach, ranges, turned, [sound.name for sound in held_out])
        proofs.append(replace(proof, likeness=LikenessAlong(low, at_rest, high)))
    return ProvenControls(controls, proofs, ranges)


def judge_control(
    key: str,
    reach: float,
    ranges: Mapping[str, CorpusRange],
    turned: Sequence[Sequence[Mapping[str, float]]],
    files: Sequence[str],
) -> ControlProof:
    """What descriptions say of a control.

    Args:
        reach: of its knob to either side.
        ranges: where each descriptor lies in real sound.
        turned: for each file, the sound's descriptors at each of `POSITIONS`.
        files: their names, over which intervals are taken.
    """
    known = [place for place, row in enumerate(turned) if all(key in described for described in row)]
    names = [files[place] for place in known]
    if not known:
        nothing = Estimate(math.nan)
        return ControlProof(key, reach, ranges[key], nothing, nothing, {}, 0)
    values = np.array([[described[key] for described in turned[place]] for place in known])
    changes = values[:, -1] - values[:, 0]
    own = float(np.abs(changes).mean()) / ranges[key].width
    leakage = {}
    for other, corpus in ranges.items():
        heard = [[described[other] for described in turned[place] if other in described] for place in known]
        moved = [max(row) - min(row) for row in heard if len(row) > 1]  # wherever on the way: it may go and come back
        if other != key and moved:
            leakage[other] = float(np.mean(moved)) / corpus.width / max(own, 1e-9)
    return ControlProof(
        key,
        reach,
        ranges[key],
        estimate_mean([correlate_ranks(row) for row in values], names),
        estimate_mean(changes / (2 * reach), names),
        leakage,
        len(known),
    )


def correlate_ranks(values: Sequence[float]) -> float:
    """Spearman's ρ of values and the order in which they stand; 0 where they are all one.

    >>> correlate_ranks([1.0, 2.0, 2.5, 9.0]), correlate_ranks([3.0, 2.0, 1.0]), correlate_ranks([1.0, 1.0])
    (1.0, -1.0, 0.0)
    >>> round(correlate_ranks([1.0, 1.0, 2.0, 3.0]), 3), round(correlate_ranks([1.0, 5.0, 5.0, 5.0]), 3)
    (0.949, 0.775)
    """
    _, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks = (counts.cumsum() - (counts - 1) / 2)[places]  # equal ones share the mean of theirs
    order = np.arange(len(values), dtype=float)
    ranks, order = ranks - ranks.mean(), order - order.mean()
    energy = math.sqrt(float(np.square(ranks).sum()) * float(np.square(order).sum()))
    return float((ranks * order).sum()) / energy if energy else 0.0


def _render(synthesizer: Synthesizer, path: Tensor, number: int, seed: int) -> Tensor:
    return synthesizer.decode(path, path.shape[1] * synthesizer.hop_samples, take_seed(seed, number + 1))
