"""The form of whole sounds: how their level moves, when they begin, how long they last, how they hold on to a spectrum.

A second of sound can be right while nothing begins or ends in it. What is measured here is measured on whole sounds, or
on stretches as long as the sounds that they are compared with. What cannot be measured on a sound is not a number: it
has no figure there, and never a wrong one.

Every trait is one row of `TRAITS`. Levels are those of `FRAME_S`; all that is quieter than `FLOOR_DB` under the loudest
of them counts as that, so that digital silence is a level like any other.

Letters in the shapes: `T` samples, `N` frames of level, `F` frames of the spectrogram, `M` mel bands.
"""

import math
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sda.audio.mel import DB_PER_NEPER, LogMel

FRAME_S = 0.010
SILENT_DB = 50.0
"""A frame so much under the loudest is silent."""
FLOOR_DB = 60.0
ENDED_DB = 40.0
"""A sound has begun, and not yet ended, where its level is less than this under its loudest."""
ENDED_S = 0.05
"""So long a sound must have ended to be known as one that ends."""
FAINT_DB = 30.0
"""A sound that never comes nearer to the loudest frame of the median real sound than this is near-silent."""
JUMP_DB = 6.0
"""Change of level from one frame to the next that is a jump."""
ONSET_DB = 3.0
"""A rise of the spectrum, averaged over its bands, that stands out from those around it by as much is an onset."""
RISE_FRAMES = 2
"""Frames that a rise, and the spectral flux, are taken over: 20 ms."""
APART_FRAMES = 4
"""Two onsets are farther apart than this."""
AROUND_FRAMES = 25
"""On either side of a rise, what it must stand out from."""
LAGS_S = {"autocorrelation_100_ms": 0.1, "autocorrelation_500_ms": 0.5, "autocorrelation_2_s": 2.0}
STILL_DB = 0.5
"""Spectra that deviate less from their mean do not move: what would be correlated is rounding."""
N_MELS = 64
NOTHING_DB = -200.0
"""Level of digital silence."""
FRAMES_AT_ONCE = 6000
WINDOW_S = 0.043
"""Of a spectrum, to the next power of two samples."""

Levels = NDArray[np.float64]


class Trait(NamedTuple):
    """One thing that form is described by."""

    term: str
    """With its unit, as tables call it."""
    words: str
    """For those who do not know the term."""
    least: float
    """The least that real sounds are taken to differ by: a difference much smaller than this is none."""
    digits: int = 2
    is_length: bool = False
    """Compared by ratio, not by difference."""
    is_share: bool = False
    """Between 0 and 1."""


TRAITS = {
    "level_deviation_db": Trait("level, deviation, dB", "how much the loudness moves", 1.0, 1),
    "level_range_db": Trait("level, range, dB", "from the quiet twentieth to the loud one", 2.0, 1),
    "silent_share": Trait("silent frames", "share of the time, 50 dB under the loudest", 0.05, is_share=True),
    "onsets_per_s": Trait("onsets a second", "how often something begins", 0.5),
    "level_jumps_per_s": Trait("level jumps a second", "more than 6 dB from 10 ms to the next", 0.5, 1),
    "spectral_flux_db": Trait("spectral flux, dB", "how much every band moves within 20 ms", 0.3),
    "autocorrelation_100_ms": Trait("autocorrelation at 0.1 s", "how much the spectrum is as it was, 0.1 s ago", 0.05),
    "autocorrelation_500_ms": Trait("autocorrelation at 0.5 s", "… 0.5 s ago", 0.05),
    "autocorrelation_2_s": Trait("autocorrelation at 2 s", "… 2 s ago", 0.05),
    "ends": Trait(
        "sounds that end", "share of the sounds that have died away before their file ends", 0.1, is_share=True
    ),
    "length_s": Trait("length where they end, s", "from the first to the last of what is loud", 0.25, is_length=True),
}
"""What is measured of every sound, by its key in `evaluation.json`; the least length is in octaves."""


class Outline(NamedTuple):
    """Where a whole sound is loud."""

    levels: Levels
    """`[N]`."""
    first: int
    """First frame that is less than `ENDED_DB` under the loudest."""
    last: int
    """The one after the last of them."""

    @property
    def loudest_db(self) -> float:
        """Level of the loudest frame, dBFS; −200 where there is nothing."""
        return float(self.levels.max(initial=NOTHING_DB))

    @property
    def ends(self) -> bool:
        """Whether it has died away before its file ends."""
        return len(self.levels) - self.last >= round(ENDED_S / FRAME_S)

    def measure_end(self, n_frames: int) -> dict[str, float]:
        """Whether it lasted for no more than so many frames, and died away, and how long it lasted then."""
        if self.loudest_db == NOTHING_DB:
            return {}
        part = outline(self.levels[self.first : self.first + n_frames + round(ENDED_S / FRAME_S)])
        length_s = {"length_s": part.last * FRAME_S} if part.ends else {}
        return {"ends": float(part.ends), **length_s}


class Measure:
    """Measures the form of stretches of sound.

    Args:
        loudest_db: level of the loudest frame of the median real sound, dBFS.
    """

    def __init__(self, sample_rate_hz: int, loudest_db: float):
        self.frame = round(FRAME_S * sample_rate_hz)
        self.loudest_db = loudest_db
        n_fft = 2 ** round(math.log2(WINDOW_S * sample_rate_hz))
        self._edge = -(-n_fft // (2 * self.frame))
        self._log_mel = LogMel(sample_rate_hz, n_fft, self.frame, N_MELS)

    def __call__(self, waveform: Tensor, *, from_nothing: bool = False) -> dict[str, float]:
        """Every trait of a stretch `[T]`; what it has none of is missing.

        Args:
            from_nothing: whether there is silence before it, so that it begins with an onset.
        """
        levels = list_levels_db(waveform, self.frame)
        if len(levels) == 0:
            return {}
        loudest_db = max(float(levels.max()), self.loudest_db)
        heard = levels.clip(min=loudest_db - FLOOR_DB)
        duration_s = len(levels) * FRAME_S
        traits = {
            "level_deviation_db": float(heard.std()),
            "level_range_db": float(np.subtract(*np.quantile(heard, [0.95, 0.05]))),
            "silent_share": float((levels < loudest_db - SILENT_DB).mean()),
            "level_jumps_per_s": float((np.abs(np.diff(heard)) > JUMP_DB).sum() / duration_s),
        }
        if levels.max() < self.loudest_db - FAINT_DB:
            return traits | {"onsets_per_s": 0.0}  # its spectrum is one of rounding and noise floors
        if len(levels) <= 2 * self._edge + RISE_FRAMES:
            return traits
        spectrum_db = self._describe_spectrum(waveform)
        traits["onsets_per_s"] = count_onsets(spectrum_db, from_nothing=from_nothing) / duration_s
        found = {"spectral_flux_db": measure_flux_db(spectrum_db, levels[self._edge :] >= loudest_db - SILENT_DB)}
        for name, lag_s in LAGS_S.items():
            found[name] = correlate_with_itself(spectrum_db, round(lag_s / FRAME_S))
        return traits | {name: value for name, value in found.items() if not math.isnan(value)}

    @torch.no_grad()
    def _describe_spectrum(self, waveform: Tensor) -> Levels:
        """Mel spectrum in dB, `[T]` → `[M, F]`; what lies `FLOOR_DB` under the loudest band counts as that.

        Without the frames that reach beyond the ends, where a tone is broken off.
        """
        spectrum_db = DB_PER_NEPER * self._log_mel(waveform[None])[0, :, self._edge : -self._edge]
        heard: Levels = spectrum_db.clamp(min=float(spectrum_db.amax()) - FLOOR_DB).double().numpy()
        return heard


def list_levels_db(waveform: Tensor, frame: int) -> Levels:
    """RMS level of every whole frame, dBFS. `[T]` → `[N]`.

    >>> list_levels_db(torch.tensor([0.1, 0.1, 0.0, 0.0, 1.0]), 2).round(3)
    array([ -20., -200.])
    """
    blocks = [
        block[: len(block) // frame * frame].reshape(-1, frame).square().mean(dim=1)
        for block in torch.split(waveform, FRAMES_AT_ONCE * frame)
    ]
    levels: Levels = 10.0 * torch.cat(blocks).double().clamp(min=10 ** (NOTHING_DB / 10)).log10().numpy()
    return levels


def outline(levels: Levels) -> Outline:
    """Where sound begins and ends that has such levels.

    >>> outline(np.array([-90.0, -10.0, -20.0, -90.0, -30.0, -80.0]))[1:]
    (1, 5)
    """
    loud = np.flatnonzero(levels >= levels.max(initial=NOTHING_DB) - ENDED_DB)
    return Outline(levels, int(loud[0]), int(loud[-1]) + 1) if len(loud) else Outline(levels, 0, 0)


def count_onsets(spectrum_db: Levels, *, from_nothing: bool = False) -> int:
    """How often most bands rise at once. `[M, F]`.

    Args:
        from_nothing: whether there is silence before the first frame, so that a beginning is an onset.
    """
    if from_nothing:
        before = np.full((len(spectrum_db), APART_FRAMES), spectrum_db.max() - FLOOR_DB)
        spectrum_db = np.concatenate([before, spectrum_db], axis=1)
    if spectrum_db.shape[1] <= RISE_FRAMES:
        return 0
    rises = (spectrum_db[:, RISE_FRAMES:] - spectrum_db[:, :-RISE_FRAMES]).clip(min=0.0).mean(axis=0)
    highest = _look_around(rises, APART_FRAMES).max(axis=1)
    usual = np.nanmedian(_look_around(rises, AROUND_FRAMES, np.nan), axis=1)
    peaks = np.flatnonzero((rises >= highest) & (rises > usual + ONSET_DB))
    return int((np.diff(peaks, prepend=-APART_FRAMES - 1) > APART_FRAMES).sum())


def measure_flux_db(spectrum_db: Levels, loud: NDArray[np.bool_]) -> float:
    """Mean change of a band within 20 ms, dB, where both ends are loud; NaN where nothing is.

    Args:
        spectrum_db: `[M, F]`.
        loud: whether the frame of level that begins where a spectrum is centred is loud, `[N]`, `F` of them or more.
    """
    loud = loud[: spectrum_db.shape[1]]
    both = loud[RISE_FRAMES:] & loud[:-RISE_FRAMES]
    if not both.any():
        return math.nan
    change = np.abs(spectrum_db[:, RISE_FRAMES:] - spectrum_db[:, :-RISE_FRAMES])
    return float(change[:, both].mean())


def correlate_with_itself(spectrum_db: Levels, lag: int) -> float:
    """Correlation of a spectrogram with itself, `lag` frames later, each band's mean taken away. `[M, F]`.

    NaN where the sound is shorter than two lags, so that too little of it would be compared with too little, and where
    its spectrum does not move.
    """
    if spectrum_db.shape[1] < 2 * lag:
        return math.nan
    moving = spectrum_db - spectrum_db.mean(axis=1, keepdims=True)
    if moving.std() < STILL_DB:
        return math.nan
    early, late = moving[:, :-lag], moving[:, lag:]
    energy = math.sqrt(float(np.square(early).sum()) * float(np.square(late).sum()))
    return float((early * late).sum()) / energy if energy else math.nan


def _look_around(values: Levels, n_around: int, beyond: float = -math.inf) -> Levels:
    """Every value with those around it. `[F]` → `[F, 2 · n_around + 1]`."""
    padded = np.pad(values, n_around, constant_values=beyond)
    return np.lib.stride_tricks.sliding_window_view(padded, 2 * n_around + 1)
