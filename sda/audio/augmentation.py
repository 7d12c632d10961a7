"""Variations of a sound that keep it plausible, made for a whole batch on its device.

What is drawn is drawn beforehand as plain numbers, so that it follows from a seed and not from the device or the
order of work; what is done with it is done here. Nothing is normalised and nothing is clipped.

Letters in the shapes: `B` batch, `T` samples, `N` items.
"""

import math
from dataclasses import dataclass, fields
from functools import cache
from typing import Any, TypeVar

import numpy as np
import torch
import torchaudio
from numpy.typing import NDArray
from torch import Tensor, nn

SPEED_RATIOS = ((3, 4), (5, 6), (8, 9), (15, 16), (16, 15), (9, 8), (6, 5), (4, 3))
"""Output to input length: a half tone, a tone, a minor third and a fourth up and down, in just intonation.

Ratios of small whole numbers keep resampling cheap; a random float would need a filter bank without end.
"""

UNCHANGED = -1
"""Stands for no change of speed among the indices of `SPEED_RATIOS`."""

RESAMPLER_MARGIN_SAMPLES = 32
"""Read beyond what a ratio needs, so that rounding never leaves a chunk short."""

RESAMPLER_WIDTH = 16
"""Zero crossings of the resampling filter on either side; more are steeper and slower."""

RESAMPLER_ROLLOFF = 0.95
"""Where the filter begins to fall, in the lower of the two Nyquist frequencies: aliases stay below −60 dB."""

TILT_PIVOT_HZ = 1000.0
LOWEST_TILTED_HZ = 20.0

Columns = TypeVar("Columns", bound="Draws")


@dataclass(frozen=True)
class Draws:
    """What was drawn for `N` items; every column `[N]`."""

    ratio: NDArray[np.int64]
    """Index into `SPEED_RATIOS`, or `UNCHANGED`."""
    gain_db: NDArray[np.float32]
    inverted: NDArray[np.bool_]
    tilt_db: NDArray[np.float32]
    """dB per octave; 0 leaves the spectrum as it is."""
    phase: NDArray[np.float32]
    """Rotation of every frequency's phase in radians; 0 is none."""
    mix_same_file: NDArray[np.bool_]
    """Whether another place of the same file is mixed in."""
    mix_corpus: NDArray[np.bool_]
    """Whether any other sound of the corpus is mixed in."""
    mix_db: NDArray[np.float32]
    """Level of what is mixed in, relative to what it is mixed into as it was recorded."""
    mix_place: NDArray[np.float64]
    """Which of the sounds that could be mixed in, in [0, 1)."""

    def take(self: Columns, rows: NDArray[np.int64]) -> Columns:
        """The draws of some of the items, in that order."""
        return type(self)(*(getattr(self, column.name)[rows] for column in fields(self)))


@dataclass(frozen=True)
class Augmentation:
    """Draws and applies variations; each has its own probability, and its range is scaled by `strength`.

    Speed changes pitch and length together, as tape does; it reads more of the file than it returns, so that no
    silence is added. Polarity and phase change no magnitude: they matter to models that see the waveform.
    """

    probability: float = 0.5
    """Chance that an item is varied at all; those of the single variations come after it."""
    strength: float = 1.0
    """Scales every range."""
    gain_db: float = 6.0
    """Louder or quieter by up to this, always."""
    polarity_probability: float = 0.5
    speed_probability: float = 0.8
    speed_ratio: float = 4 / 3
    """Largest change of speed; the ratios up to it are those of `SPEED_RATIOS`."""
    tilt_probability: float = 0.3
    tilt_db: float = 1.0
    """Spectral tilt up to this, dB per octave around 1 kHz."""
    phase_probability: float = 0.2
    """Chance that the phase of all frequencies is turned by one angle (an all-pass)."""
    mix_same_file_probability: float = 0.0
    mix_corpus_probability: float = 0.0
    mix_db: float = -6.0
    """Loudest level of what is mixed in; it lies up to 12 dB below."""

    @property
    def ratios(self) -> list[int]:
        """Indices of the speed ratios in range."""
        if self.speed_probability == 0:
            return []
        largest = self.strength * math.log(self.speed_ratio) + 1e-6
        return [index for index, (n_out, n_in) in enumerate(SPEED_RATIOS) if abs(math.log(n_out / n_in)) <= largest]

    def read_samples(self, n_samples: int) -> int:
        """Samples to read for `n_samples` after the largest change of speed.

        >>> Augmentation().read_samples(48000)
        64032
        """
        longest = max((SPEED_RATIOS[index][1] / SPEED_RATIOS[index][0] for index in self.ratios), default=1.0)
        return math.ceil(n_samples * longest) + RESAMPLER_MARGIN_SAMPLES if longest > 1 else n_samples

    def draw(self, rng: np.random.Generator, n_items: int) -> Draws:
        """Draw for `n_items` items at once."""
        varied = rng.random(n_items) < self.probability

        def happens(probability: float) -> NDArray[np.bool_]:
            return (rng.random(n_items) < probability) & varied

        def spread(limit: float) -> NDArray[np.float32]:
            return rng.uniform(-limit, limit, n_items).astype(np.float32)

        ratios = np.array(self.ratios or [UNCHANGED])
        mix_same_file = happens(self.mix_same_file_probability)
        return Draws(
            ratio=np.where(happens(self.speed_probability), ratios[rng.integers(len(ratios), size=n_items)], UNCHANGED),
            gain_db=np.where(varied, spread(self.strength * self.gain_db), np.float32(0)),
            inverted=happens(self.polarity_probability),
            tilt_db=np.where(happens(self.tilt_probability), spread(self.strength * self.tilt_db), np.float32(0)),
            phase=np.where(happens(self.phase_probability), spread(math.pi), np.float32(0)),
            mix_same_file=mix_same_file,
            mix_corpus=happens(self.mix_corpus_probability) & ~mix_same_file,
            mix_db=rng.uniform(self.mix_db - 12.0, self.mix_db, n_items).astype(np.float32),
            mix_place=rng.random(n_items),
        )

    def __call__(self, waveforms: Tensor, draws: Draws, n_samples: int, partners: Tensor, rate_hz: int) -> Tensor:
        """Apply what was drawn.

        Shape:
            waveforms `[B, T]` with `T = read_samples(n_samples)`, partners `[P, n_samples]`, one for each item that is
            mixed, in order → `[B, n_samples]`.
        """
        varied = change_speed(waveforms, draws.ratio, n_samples)
        mixed = np.flatnonzero(draws.mix_same_file | draws.mix_corpus)
        if len(mixed):
            varied[mixed] = mix(varied[mixed], partners, draws.mix_db[mixed])
        filtered = np.flatnonzero((draws.tilt_db != 0) | (draws.phase != 0))
        if len(filtered):
            varied[filtered] = tilt_and_rotate(
                varied[filtered], draws.tilt_db[filtered], draws.phase[filtered], rate_hz
            )
        factors = np.where(draws.inverted, -1.0, 1.0) * 10 ** (draws.gain_db / 20)
        return varied.mul_(_column(factors, varied))


def change_speed(waveforms: Tensor, ratio: NDArray[np.int64], n_samples: int) -> Tensor:
    """Stretch time and shift pitch of each item by its ratio, free of aliases, and cut to `n_samples`.

    Shape:
        waveforms `[B, T]`, ratio `[B]` → `[B, n_samples]`, a copy; short reads are filled up with zeros.
    """
    changed = nn.functional.pad(waveforms[:, :n_samples], (0, max(0, n_samples - waveforms.shape[1])))  # a copy
    for index in np.unique(ratio[ratio != UNCHANGED]).tolist():
        rows = np.flatnonzero(ratio == index)
        n_out, n_in = SPEED_RATIOS[index]
        piece = waveforms[rows, : math.ceil(n_samples * n_in / n_out) + RESAMPLER_MARGIN_SAMPLES]
        piece = _build_resampler(n_in, n_out, waveforms.device)(piece)[:, :n_samples]
        changed[rows] = nn.functional.pad(piece, (0, n_samples - piece.shape[1]))
    return changed


@cache
def _build_resampler(n_in: int, n_out: int, device: torch.device) -> torchaudio.transforms.Resample:
    """The filter bank of a ratio, computed once."""
    return torchaudio.transforms.Resample(
        n_in, n_out, lowpass_filter_width=RESAMPLER_WIDTH, rolloff=RESAMPLER_ROLLOFF
    ).to(device)


def tilt_and_rotate(
    waveforms: Tensor, tilt_db: NDArray[np.float32], phase: NDArray[np.float32], rate_hz: int
) -> Tensor:
    """Tilt the spectrum by so many dB per octave around 1 kHz and turn every frequency's phase by one angle.

    Shape:
        waveforms `[B, T]`, tilt_db and phase `[B]` → `[B, T]`.
    """
    n_samples = waveforms.shape[1]
    frequency_hz = torch.fft.rfftfreq(n_samples, 1 / rate_hz, device=waveforms.device)
    octaves = (frequency_hz.clamp(min=LOWEST_TILTED_HZ) / TILT_PIVOT_HZ).log2()
    magnitude = (_column(tilt_db, waveforms) * octaves * (math.log(10) / 20)).exp()
    response = torch.polar(magnitude, _column(phase, waveforms).expand_as(magnitude).contiguous())
    filtered: Tensor = torch.fft.irfft(torch.fft.rfft(waveforms) * response, n=n_samples)
    return filtered


def mix(waveforms: Tensor, partners: Tensor, level_db: NDArray[np.float32]) -> Tensor:
    """Add a quieter sound to each, keeping the power that two unrelated sounds have together.

    Shape:
        waveforms and partners `[B, T]`, level_db `[B]` → `[B, T]`.
    """
    share = _column(10 ** (level_db / 20), waveforms)
    return (waveforms + share * partners) / (1 + share.square()).sqrt()


def _column(values: NDArray[np.floating[Any]], like: Tensor) -> Tensor:
    """Plain numbers as a column `[B, 1]` beside a batch."""
    return torch.from_numpy(np.asarray(values, np.float32)).to(like.device)[:, None]
