"""Harmonic events: stretches of a sound that have a pitch, and begin and end within it.

Letters in the shapes: `T` samples, `F` frames.
"""

import math

import torch
from torch import Tensor

FRAME_S, HOP_S = 0.04, 0.01
LOWEST_HZ, HIGHEST_HZ = 150.0, 1500.0
LEAST_PERIODIC = 0.7
"""Normalised autocorrelation at the period, from which on a frame has a pitch: its harmonics hold 3.7 dB more than its
noise."""
RANGE_DB = 35.0
"""Frames so far under the loudest of their sound have none."""
SHORTEST_S = 0.3
LONGEST_GAP_S = 0.05
MOST_CHANGE = 0.15
"""Of the period from one frame with a pitch to the next (natural log, a whole tone and more; an octave is none, as the
period of a sound is also that of the octave below): what changes by more is another event."""


def count_harmonic_events(waveform: Tensor, sample_rate_hz: int) -> int:
    """How many there are; what has begun before the first frame, or lasts beyond the last one, is none. `[T]` → count.

    >>> time_s = torch.arange(48000) / 16000
    >>> crow = torch.sin(2000 * time_s) * ((time_s > 1) & (time_s < 1.5))
    >>> count_harmonic_events(crow, 16000), count_harmonic_events(torch.sin(2000 * time_s), 16000)
    (1, 0)
    """
    periods = _find_periods(waveform, sample_rate_hz)
    n_gap, n_least = round(LONGEST_GAP_S / HOP_S), round(SHORTEST_S / HOP_S)
    events, start, last, before = 0, -1, -1, 0.0
    for frame, period in enumerate([*periods.tolist(), *[0.0] * (n_gap + 1)]):
        goes_on = start >= 0 and (period == 0.0 or _is_near(period, before))
        if start >= 0 and (not goes_on or frame - last > n_gap):
            events += start > 0 and last < len(periods) - 1 and last - start + 1 >= n_least
            start = -1
        if period:
            start, last, before = (frame if start < 0 else start), frame, period
    return events


def _is_near(period: float, before: float) -> bool:
    octaves = abs(math.log2(period / before))
    return min(octaves, abs(octaves - 1.0)) * math.log(2.0) <= MOST_CHANGE


def _find_periods(waveform: Tensor, sample_rate_hz: int) -> Tensor:
    """The period of every frame that has a pitch, samples, and 0 for those that have none, `[F]`."""
    n_frame, n_hop = round(FRAME_S * sample_rate_hz), round(HOP_S * sample_rate_hz)
    if len(waveform) < n_frame:
        return torch.zeros(0)
    frames = waveform.unfold(0, n_frame, n_hop)
    power = frames.square().mean(dim=1)
    spectra = torch.fft.rfft(frames - frames.mean(dim=1, keepdim=True), 2 * n_frame)
    correlation = torch.fft.irfft(spectra.abs().square())[:, :n_frame]
    overlap = 1.0 - torch.arange(n_frame) / n_frame
    normal = correlation / (correlation[:, :1] * overlap).clamp(min=1e-12)
    lags = slice(round(sample_rate_hz / HIGHEST_HZ), min(n_frame // 2, round(sample_rate_hz / LOWEST_HZ)))
    height, place = normal[:, lags].max(dim=1)
    has_pitch = (height >= LEAST_PERIODIC) & (power > power.max() * 10 ** (-RANGE_DB / 10))
    periods: Tensor = torch.where(has_pitch, place + float(lags.start), 0.0)
    return periods
