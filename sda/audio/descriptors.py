"""Descriptors of sound: what is heard of it, in numbers with units, from the waveform alone.

Every descriptor is one row of `DESCRIPTORS`. Those of timbre are taken frame by frame, where anything is to be heard;
those of events are taken of every event, see `envelope`. What a sound has none of is missing, and never a wrong number.

Letters in the shapes: `T` samples, `F` frames, `N` bins, `B` frames of a block.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from sda.audio.envelope import FRAME_S, NOTHING_DB, SoundEvent, find_sound_events, measure_levels_db

WINDOW_S = 0.043
"""Of a spectrum, to the next power of two samples."""
HEARD_DB = 40.0
"""Frames so much under the loudest are not described."""
LOWEST_HZ, HIGHEST_HZ = 50.0, 2000.0
"""Between these a pitch is looked for."""
ROUGH_HZ = (30.0, 150.0)
"""A level that moves so quickly is heard as roughness, slower as trembling, quicker as a tone of its own."""
ENVELOPE_HZ = 1000
NEAR_BINS = 8
"""On either side of a bin, what moves along with it moves as the whole does."""
MIDDLE_OF_NOISE = 4.862
"""How far a bin of white noise is from those around it, from one window to the next one beside it, dB."""
LEAST_FALL_S = 0.05
"""An event that is followed for less has no decay."""
FALLEN_DB = 30.0
"""A decay is followed down to so much under its peak."""


class Descriptor(NamedTuple):
    """One thing that sound is described by."""

    term: str
    unit: str
    words: str
    """For those who do not know the term."""
    least: float
    """What is heard as a difference, in its unit; a corpus' range counts as no smaller."""
    digits: int = 2


class CorpusRange(NamedTuple):
    """Where a descriptor lies in real sound, in its unit."""

    low: float
    high: float

    @property
    def width(self) -> float:
        """Between its ends."""
        return self.high - self.low

    def find_place(self, value: float) -> float:
        """Where a value lies: 0 at the lower end, 1 at the upper one.

        >>> CorpusRange(8.0, 12.0).find_place(9.0)
        0.25
        """
        return (value - self.low) / self.width

    def find_value(self, place: float) -> float:
        """The value at a place."""
        return self.low + place * self.width


DESCRIPTORS = {
    "level": Descriptor("level", "dB", "how loud it is: RMS of its loudest 400 ms", 3.0, 1),
    "brightness": Descriptor("spectral centroid", "oct", "where the middle of its spectrum lies; log2 of Hz", 0.5),
    "noisiness": Descriptor("noisiness", "", "how much single bins move by themselves; a tone 0, white noise 1", 0.1),
    "pitch_strength": Descriptor(
        "pitch strength", "", "how exactly a wave repeats itself; a tone 1, noise near 0", 0.1
    ),
    "roughness": Descriptor("roughness", "", "how much its level trembles at 30 to 150 Hz, as a share", 0.1),
    "pitch": Descriptor("pitch", "oct", "how high the tone is that repeats itself; log2 of Hz", 0.5),
    "attack": Descriptor("attack time", "oct", "from a fifth to nine tenths of an event's peak; log2 of s", 0.5),
    "decay": Descriptor("decay", "dB/s", "how quickly an event falls behind its peak", 10.0, 1),
    "density": Descriptor("events a second", "/s", "how often something begins", 0.5),
}
"""What is measured of a sound, by its key; `pitch` where it repeats itself at all."""
FRAMEWISE = ("level", "brightness", "noisiness", "pitch_strength", "roughness")
"""Descriptors that a frame has."""
TONAL = 0.8
"""Frames that repeat themselves so exactly have a pitch: of what repeats itself less, octaves are guessed."""
LEAST_TONAL = 0.25
"""A sound has a pitch where so many of the frames that are heard have one."""
LOUDEST_S = 0.4
"""A sound is as loud as its loudest stretch of this length, however long it rings on."""

REFERENCES = """Peeters, "A large set of audio features for sound description", IRCAM 2004 (centroid, attack time);
Boersma, "Accurate short-term analysis of the fundamental frequency", IFA Proceedings 1993 (pitch, its strength);
EBU Tech 3341, 2016 (momentary loudness: 400 ms, a quarter apart);
Vassilakis, "Perceptual and physical properties of amplitude fluctuation", UCLA 2001 (roughness)."""


class Describer:
    """Describes sound of one rate.

    Reference:
        See `REFERENCES`.
    """

    def __init__(self, sample_rate_hz: int):
        self.sample_rate_hz = sample_rate_hz
        self.n_fft = 2 ** round(math.log2(WINDOW_S * sample_rate_hz))
        self.hop_samples = self.n_fft // 2
        """Samples from one frame to the next."""
        self._window = torch.hann_window(self.n_fft)
        self._long = torch.hann_window(2 * self.n_fft)
        spectrum = torch.fft.rfft(self._long, 4 * self.n_fft)
        self._correlation_of_window = torch.fft.irfft(spectrum.abs().square())[: self.n_fft]

    @torch.no_grad()
    def follow(self, waveform: Tensor) -> dict[str, Tensor]:
        """The descriptors of `FRAMEWISE`, and `pitch`, of every frame; NaN where there are none. `[T]` → each `[F]`."""
        n_frames = len(waveform) // self.hop_samples + 1
        magnitude = torch.fft.rfft(self._cut(waveform, self.n_fft, n_frames) * self._window).abs()
        power = magnitude.square().sum(dim=1)
        scale = float(self._window.square().sum()) * self.n_fft / 2
        level = 10.0 * (power / scale).clamp(min=10 ** (NOTHING_DB / 10)).log10()
        bins = torch.arange(magnitude.shape[1]) * (self.sample_rate_hz / self.n_fft)
        centroid = (magnitude @ bins) / magnitude.sum(dim=1).clamp(min=1e-9)
        pitch, strength = self._find_pitch(self._cut(waveform, 2 * self.n_fft, n_frames) * self._long)
        found = {
            "level": level,
            "brightness": centroid.clamp(min=20.0).log2(),
            "noisiness": measure_noisiness(magnitude),
            "pitch_strength": strength,
            "roughness": self._measure_roughness(waveform, n_frames),
            "pitch": torch.where(strength >= TONAL, pitch, torch.nan),
        }
        heard = level >= max(float(level.max()) - HEARD_DB, NOTHING_DB + 1.0)
        return {name: values.masked_fill(~heard, torch.nan) for name, values in found.items()}

    def __call__(self, waveform: Tensor) -> dict[str, float]:
        """Every descriptor of a sound `[T]`: of timbre, means over the frames that are heard."""
        followed = self.follow(waveform)
        found = {name: float(values.nanmean()) for name, values in followed.items()}
        found["pitch"] = float(followed["pitch"].nanmedian()) if _is_mostly_tonal(followed) else math.nan
        found["level"] = self._measure_loudest_db(waveform)
        levels = measure_levels_db(waveform, self.sample_rate_hz)
        events = find_sound_events(levels)
        found["attack"] = _average([measure_attack(levels, event) for event in events])
        found["decay"] = _average([measure_decay(levels, event) for event in events])
        if len(levels):
            found["density"] = len(events) / (len(levels) * FRAME_S)
        return {name: value for name, value in found.items() if math.isfinite(value)}

    def _measure_loudest_db(self, waveform: Tensor) -> float:
        """Level of the loudest 400 ms, dBFS."""
        n_block = round(LOUDEST_S * self.sample_rate_hz)
        padded = torch.nn.functional.pad(waveform, (0, max(0, n_block - len(waveform))))
        power = padded.unfold(0, n_block, n_block // 4).square().mean(dim=1).max()
        return 10.0 * math.log10(max(float(power), 10 ** (NOTHING_DB / 10)))

    def _cut(self, waveform: Tensor, n_samples: int, n_frames: int) -> Tensor:
        """Frames of so many samples around multiples of the hop, `[F, n_samples]`; zeros beyond the ends."""
        behind = (n_frames - 1) * self.hop_samples + n_samples - n_samples // 2 - len(waveform)
        padded = torch.nn.functional.pad(waveform, (n_samples // 2, max(0, behind)))
        return padded.unfold(0, n_samples, self.hop_samples)[:n_frames]

    def _find_pitch(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        """Pitch, log2 of Hz, and its strength, of windowed frames. `[F, 2 · n_fft]` → two `[F]`."""
        spectra = torch.fft.rfft(frames, 2 * frames.shape[1]).abs().square()
        correlation = torch.fft.irfft(spectra)[:, : self.n_fft] / self._correlation_of_window
        correlation = correlation / correlation[:, :1].clamp(min=1e-12)
        first, last = (round(self.sample_rate_hz / limit) for limit in (HIGHEST_HZ, LOWEST_HZ))
        last = min(last, self.n_fft - 1)
        # A wave that does not come back down has no period; of equally good ones, the shortest is taken.
        is_below = (correlation < 0.0).cummax(dim=1).values[:, first : last + 1]
        lags = torch.arange(first, last + 1)
        rated = (correlation[:, first : last + 1] - 0.02 * (lags / first).log2()).masked_fill(~is_below, -1.0)
        best = rated.argmax(dim=1)
        strength = correlation[:, first : last + 1].gather(1, best[:, None])[:, 0]
        is_there = is_below.any(dim=1)
        strength = torch.where(is_there, strength, 0.0).clamp(0.0, 1.0)
        return (self.sample_rate_hz / lags[best]).log2(), strength

    def _measure_roughness(self, waveform: Tensor, n_frames: int) -> Tensor:
        """How deep the level is modulated at the rates of roughness, as a share of its mean. `[T]` → `[F]`."""
        step = self.sample_rate_hz // ENVELOPE_HZ
        rate_hz, n_window = self.sample_rate_hz / step, 128
        padded = torch.nn.functional.pad(waveform, (0, -len(waveform) % step))
        envelope = padded.view(-1, step).square().mean(dim=1).sqrt()
        centres = (torch.arange(n_frames) * self.hop_samples / step).round().long()
        around = torch.nn.functional.pad(envelope, (n_window // 2, n_window))
        places = (centres[:, None] + torch.arange(n_window)).clamp(max=len(around) - 1)
        window = torch.hann_window(n_window)
        spectra = torch.fft.rfft(around[places] * window).abs()
        rates_hz = torch.arange(spectra.shape[1]) * rate_hz / n_window
        is_rough = (rates_hz >= ROUGH_HZ[0]) & (rates_hz <= ROUGH_HZ[1])
        # A sine of depth m has half of its amplitude in each of two frequencies, spread by the window.
        spread = float(window.square().sum()) * n_window / float(window.sum()) ** 2
        depth = (2.0 * spectra[:, is_rough].square().sum(dim=1) / spread).sqrt() * math.sqrt(2.0)
        roughness: Tensor = depth / spectra[:, 0].clamp(min=1e-9)
        return roughness


def measure_noisiness(magnitude: Tensor) -> Tensor:
    """How far the bins of a frame move away from those around them, up to the next window that shares no sample.

    What rises or falls as a whole does not count, nor what is steady: bins of noise move each for itself. As a share of
    what white noise does; strong bins count more.

    Shape:
        `[F, N]` of frames that overlap by half → `[F]`, NaN where there is none beside.

    >>> float(measure_noisiness(torch.ones(4, 100))[1])
    0.0
    """
    if len(magnitude) < 3:
        return magnitude.new_full((len(magnitude),), torch.nan)
    before, behind = magnitude[:-2], magnitude[2:]
    weight = (before * behind).sqrt()
    change = 20.0 * (behind.clamp(min=1e-9) / before.clamp(min=1e-9)).log10()
    together = _smooth(weight * change) / _smooth(weight).clamp(min=1e-12)
    apart = (weight * (change - together).abs()).sum(dim=1) / weight.sum(dim=1).clamp(min=1e-12)
    noisiness: Tensor = torch.nn.functional.pad(apart / MIDDLE_OF_NOISE, (1, 1), value=torch.nan)
    return noisiness


def _smooth(values: Tensor) -> Tensor:
    """Means over neighbouring bins. `[F, N]` → `[F, N]`."""
    smoothed: Tensor = torch.nn.functional.avg_pool1d(
        values[:, None], 2 * NEAR_BINS + 1, 1, NEAR_BINS, count_include_pad=False
    )[:, 0]
    return smoothed


def measure_attack(levels_db: Tensor, event: SoundEvent) -> float:
    """log2 of the seconds between a fifth and nine tenths of an event's peak, at least half a frame. `[N]` →"""
    peak_db = float(levels_db[event.peak])
    start = max(0, event.onset - 1)
    rising = levels_db[start : event.peak + 1]
    first = int((rising >= peak_db + 20.0 * math.log10(0.2)).int().argmax())
    last = int((rising >= peak_db + 20.0 * math.log10(0.9)).int().argmax())
    return math.log2(max(0.5, last - first) * FRAME_S)


def measure_decay(levels_db: Tensor, event: SoundEvent) -> float:
    """dB/s that an event falls by behind its peak, by a line through its levels; NaN where it is too short. `[N]` →"""
    falling = levels_db[event.peak : event.end]
    is_gone = falling < falling[0] - FALLEN_DB if len(falling) else falling
    n_frames = int(is_gone.int().argmax()) + 1 if bool(is_gone.any()) else len(falling)
    if n_frames * FRAME_S < LEAST_FALL_S:
        return math.nan
    times = torch.arange(n_frames) * FRAME_S
    times, values = times - times.mean(), falling[:n_frames] - falling[:n_frames].mean()
    return -float((times * values).sum() / times.square().sum())


def _is_mostly_tonal(followed: dict[str, Tensor]) -> bool:
    """Whether enough of the frames that are heard have a pitch."""
    n_heard = int(followed["level"].isfinite().sum())
    return int(followed["pitch"].isfinite().sum()) >= LEAST_TONAL * max(1, n_heard)


def _average(values: list[float]) -> float:
    """The mean of what is a number; NaN where nothing is."""
    known = [value for value in values if math.isfinite(value)]
    return sum(known) / len(known) if known else math.nan
