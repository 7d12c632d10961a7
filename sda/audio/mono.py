"""Downmixing: which of a file's channels are averaged, and whether a constant voltage is taken out.

The average of all channels is kept wherever it can be. Silent channels would only turn it down, and channels of
opposite phase would cancel; both are told from the energies of a whole file, and one mix is kept from end to end.

What is constant over `STRETCH_S` is no sound here: energies are those of the samples less the mean of their stretch.

Letters in the shapes: `N` frames, `C` channels.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

STRETCH_S = 0.1
"""What stays the same for so long is a voltage, not a sound."""
HIGH_PASS_HZ = 10.0
"""Of the high-pass, where there is one: it takes 3 dB away at 10 Hz, 1 dB at 20 Hz and 0.2 dB at 50 Hz."""
MOST_LOST_DB = 12.0
"""An average of channels that is quieter than they are by more than this is not kept; chance costs two of them 3 dB."""
DEAD_DB = -60.0
"""A channel that is this far below the loudest one is left out of the average, which it would only turn down."""
LARGEST_OFFSET_SHARE = 0.01
"""Of a sound's power, in a constant voltage, above which it is taken out: 0.04 dB of loudness."""
AMBISONIC_CHANNELS = frozenset({4, 9, 16})
"""Numbers of channels of AmbiX and B-format, of which the first hears all directions alike."""
COMPLETE_LOSS_DB = 120.0
"""What is said to be lost where nothing is left."""

NO_POWER = 1e-15
"""Mean power that is left of a constant by rounding, at most (−150 dBFS)."""
_SAME_LEVEL = 0.98
"""Shares of energy from here up are one level: of two channels that differ by less, the first is the louder."""
_PIECE_SAMPLES = 512

Samples = NDArray[np.float32]


@dataclass(frozen=True)
class Mix:
    """How channels become one."""

    channels: tuple[int, ...] = ()
    """Those that are averaged, counted from 0; empty for all."""
    resting_at: float | None = None
    """The voltage that the sound begins at, where a high-pass takes it out; without one samples stay as they are."""

    def average(self, block: Samples) -> Samples:
        """The mean of the kept channels of `[N, C]`, `[N]`, offset included."""
        kept = block[:, list(self.channels)] if self.channels else block
        mono: Samples = kept[:, 0] if kept.shape[1] == 1 else kept.mean(axis=1, dtype=np.float32)
        return mono


class Mixer:
    """Takes a file block by block, gives the one channel that is kept, at the file's own rate."""

    def __init__(self, mix: Mix, sample_rate_hz: int):
        self._mix = mix
        self._high_pass = None if mix.resting_at is None else HighPass(sample_rate_hz, mix.resting_at)

    def mix(self, block: Samples) -> Samples:
        """The kept mono sound of `[N, C]`, `[N]`."""
        mono = self._mix.average(block)
        return mono if self._high_pass is None else self._high_pass.filter(mono)


class HighPass:
    """Causal high-pass of first order, block by block: the sound less its running mean.

    Args:
        resting_at: the mean before the sound begins, so that an offset does not start with a thump.

    >>> HighPass(48000, 0.45).filter(np.full(3, 0.45)).tolist()
    [0.0, 0.0, 0.0]
    """

    def __init__(self, sample_rate_hz: int, resting_at: float = 0.0, cutoff_hz: float = HIGH_PASS_HZ):
        self._mean = resting_at
        self._pole = math.exp(-2 * math.pi * cutoff_hz / sample_rate_hz)
        self._gain = (1 + self._pole) / (2 * self._pole)  # 1 at half of the rate
        powers = self._pole ** np.arange(_PIECE_SAMPLES)
        ages = np.arange(_PIECE_SAMPLES)[None, :] - np.arange(_PIECE_SAMPLES)[:, None]
        self._weights = np.where(ages >= 0, (1 - self._pole) * powers[np.abs(ages)], 0.0)
        self._fading = self._pole * powers

    def filter(self, samples: Samples) -> Samples:
        """The next samples `[N]` → `[N]`."""
        n_pieces = -(-len(samples) // _PIECE_SAMPLES)
        pieces = np.pad(samples.astype(np.float64), (0, n_pieces * _PIECE_SAMPLES - len(samples)))
        means = pieces.reshape(n_pieces, _PIECE_SAMPLES) @ self._weights  # as if each piece followed on zeros
        for number in range(n_pieces):
            means[number] += self._mean * self._fading
            self._mean = float(means[number, -1])
        running = means.ravel()[: len(samples)]
        self._mean = float(running[-1]) if len(running) else self._mean
        return (self._gain * (samples - running)).astype(np.float32)


class ChannelSurvey:
    """Takes a file block by block, tells at its end how its channels go together; memory does not grow with length.

    The energy of any mix follows from those of all pairs of channels, so that one pass is enough to choose.
    """

    def __init__(self, sample_rate_hz: int, n_channels: int):
        self._rate_hz = sample_rate_hz
        self._n_frames = 0
        self._sums = np.zeros(n_channels)
        self._energy = np.zeros((n_channels, n_channels))
        self._offset_energy = np.zeros((n_channels, n_channels))
        self._first_means: NDArray[np.float64] | None = None
        self._stretch = max(1, round(STRETCH_S * sample_rate_hz))
        self._rest: Samples = np.zeros((0, n_channels), np.float32)

    def add(self, block: Samples) -> None:
        """Take one block `[N, C]` of samples that are sound."""
        waiting = np.concatenate([self._rest, block])
        n_whole = len(waiting) // self._stretch * self._stretch
        self._take(waiting[:n_whole])
        self._rest = waiting[n_whole:]

    def finish(self) -> None:
        """All blocks were taken; what there is to tell is known now."""
        self._take(self._rest)
        self._rest = self._rest[:0]

    def _take(self, samples: Samples) -> None:
        if len(samples) == 0:
            return
        sound = samples.astype(np.float64)
        starts = np.arange(0, len(sound), self._stretch)
        lengths = np.diff(np.append(starts, len(sound)))[:, None]
        means = np.add.reduceat(sound, starts, axis=0) / lengths
        sound -= np.repeat(means, lengths[:, 0], axis=0)
        self._energy += sound.T @ sound
        self._offset_energy += (lengths * means).T @ means
        self._sums += (lengths * means).sum(axis=0)
        self._n_frames += len(sound)
        if self._first_means is None:
            self._first_means = means[0]

    @property
    def offset(self) -> float:
        """The largest mean of a channel (DC), signed."""
        means = self._sums / max(1, self._n_frames)
        return float(means[np.abs(means).argmax()])

    @property
    def loss_db(self) -> float:
        """How much quieter the average of the living channels is than they are.

        Two that are equal lose 0 dB, two that share nothing 3, two of opposite phase everything.
        """
        living = self._find_living()
        if not living:
            return 0.0
        left = self._mix_energy(self._energy, living)
        share = left / float(self._energy.diagonal()[list(living)].mean())
        return min(COMPLETE_LOSS_DB, max(0.0, -10 * math.log10(share))) if share > 0 else COMPLETE_LOSS_DB

    def choose(self) -> Mix:
        """The mix that keeps the sound: the average of what lives, or one channel where that would lose too much."""
        living = self._find_living()
        if self.loss_db > MOST_LOST_DB:
            living = (self._choose_one(),)
        n_channels = len(self._sums)
        averaged = living or tuple(range(n_channels))
        rest = self._find_rest(averaged)
        return Mix(() if len(averaged) == n_channels else averaged, rest)

    def measure_power(self, mix: Mix) -> float:
        """Mean square of a mix from end to end, without what is constant."""
        channels = mix.channels or tuple(range(len(self._sums)))
        return self._mix_energy(self._energy, channels) / max(1, self._n_frames)

    def _find_living(self) -> tuple[int, ...]:
        """Channels with sound, by number; none where there is none at all."""
        energies = self._energy.diagonal()
        least = max(NO_POWER * self._n_frames, float(energies.max()) * 10 ** (DEAD_DB / 10))
        return tuple(np.flatnonzero(energies > least).tolist())

    def _choose_one(self) -> int:
        """The first of the loudest channels; of Ambisonics, as far as can be told, the one without a direction."""
        energies = self._energy.diagonal()
        if len(energies) in AMBISONIC_CHANNELS:
            # In the scaling that is largest (N3D) a channel of order l is up to 2l + 1 times as strong as the first.
            order = math.isqrt(len(energies)) - 1
            if energies[0] * (2 * order + 1) >= _SAME_LEVEL * energies.max():
                return 0
        return int(np.flatnonzero(energies >= _SAME_LEVEL * energies.max())[0])

    def _find_rest(self, channels: tuple[int, ...]) -> float | None:
        """The offset at the beginning of a mix, where its offset matters at any place."""
        if self._first_means is None:
            return None
        sound = self._mix_energy(self._energy, channels)
        drifting = self._mix_energy(self._offset_energy, channels)
        constant = float(self._sums[list(channels)].mean()) ** 2 / self._n_frames
        duration_s = self._n_frames / self._rate_hz
        matters = drifting > sound * _allow_offset(min(STRETCH_S, duration_s))
        matters = matters or constant > (sound + drifting - constant) * _allow_offset(duration_s)
        return float(self._first_means[list(channels)].mean()) if matters else None

    @staticmethod
    def _mix_energy(energy: NDArray[np.float64], channels: tuple[int, ...]) -> float:
        """Energy of the average of channels, from that of all pairs `[C, C]`."""
        return max(0.0, float(energy[np.ix_(channels, channels)].mean()))


def _allow_offset(duration_s: float) -> float:
    """Share of power in the mean of so long a stretch that may be sound: a tone of 10 Hz leaves as much.

    >>> round(_allow_offset(0.1), 3), _allow_offset(2.0)
    (0.101, 0.01)
    """
    return max(LARGEST_OFFSET_SHARE, 1 / (math.pi * HIGH_PASS_HZ * duration_s) ** 2)
