"""`python experiments/013-head-start/sounds.py FOLDER [N]`: sounds of many kinds, by rule, from nobody's recordings.

Tones that glide, struck things that ring, noise of every colour, rain of grains, chirps; one to three of them at once,
in rooms or without, through narrow microphones or wide ones. Every file is what it is by its seed.
"""

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray
from scipy.signal import butter, fftconvolve, sosfilt

RATE_HZ = 48000
DURATION_S = 5.0
N_SOUNDS = 240

Floats = NDArray[np.float64]
Kind = Callable[[np.random.Generator, int], Floats]


def make_sound(seed: int) -> Floats:
    """A sound of `DURATION_S`, `[T]`, at a peak between -20 and -2 dBFS."""
    rng, n_samples = np.random.default_rng(seed), round(DURATION_S * RATE_HZ)
    mixed = np.zeros(n_samples)
    for _ in range(rng.choice([1, 1, 2, 3])):
        mixed += 10 ** (rng.uniform(-20, 0) / 20) * _scale(KINDS[rng.integers(len(KINDS))](rng, n_samples))
    if rng.random() < 0.5:
        mixed = _put_in_a_room(rng, mixed)
    mixed += 10 ** (rng.uniform(-90, -50) / 20) * np.abs(mixed).max() * rng.standard_normal(n_samples)
    if rng.random() < 0.4:
        mixed = sosfilt(butter(4, _draw_log(rng, 3000, 20000), "low", fs=RATE_HZ, output="sos"), mixed)
    return 10 ** (rng.uniform(-20, -2) / 20) * _scale(mixed)


def make_tone(rng: np.random.Generator, n_samples: int) -> Floats:
    """Partials over a pitch that glides and trembles."""
    time_s = _count_seconds(n_samples)
    glide = np.interp(time_s, np.linspace(0, time_s[-1], 4), rng.normal(0, rng.choice([0, 0.02, 0.3]), 4))
    tremble = rng.choice([0, 0.005, 0.02]) * np.sin(2 * np.pi * rng.uniform(3, 9) * time_s)
    pitch_hz = _draw_log(rng, 50, 2500)
    phase = 2 * np.pi * np.cumsum(pitch_hz * 2 ** (glide + tremble)) / RATE_HZ
    fall, stretch, is_odd = rng.uniform(0.3, 2.5), rng.choice([0, 1e-4, 1e-3]), rng.random() < 0.2
    tone = np.zeros(n_samples)
    for partial in range(1, min(40, int(20000 / pitch_hz)) + 1, 2 if is_odd else 1):
        turned = phase * partial * np.sqrt(1 + stretch * partial**2) + rng.uniform(0, 2 * np.pi)
        tone += (
            rng.uniform(0.3, 1) * partial**-fall * np.sin(turned) * np.exp(-time_s * partial * rng.choice([0, 0.3, 1]))
        )
    return tone * _draw_envelope(rng, n_samples)


def make_hits(rng: np.random.Generator, n_samples: int) -> Floats:
    """A thing of a few modes, struck now and then."""
    n_modes = rng.integers(3, 30)
    modes_hz = _draw_log(rng, 80, 14000, n_modes)
    falls = _draw_log(rng, 2, 80, n_modes) * (modes_hz / 500) ** rng.uniform(0, 0.7)
    sizes, hits = rng.exponential(1, n_modes), np.zeros(n_samples)
    for start in _draw_starts(rng, n_samples, _draw_log(rng, 0.3, 8)):
        time_s = _count_seconds(min(n_samples - start, 3 * RATE_HZ))
        strength = rng.uniform(0.2, 1)
        for mode_hz, fall, size in zip(modes_hz, falls, sizes, strict=True):
            ringing = np.sin(2 * np.pi * mode_hz * time_s + rng.uniform(0, 2 * np.pi)) * np.exp(-fall * time_s)
            hits[start : start + len(time_s)] += strength * size * rng.uniform(0.7, 1.3) * ringing
    return hits


def make_noise(rng: np.random.Generator, n_samples: int) -> Floats:
    """Noise of a slope, in a band or in all of them, that comes and goes."""
    slope = (np.maximum(np.fft.rfftfreq(n_samples, 1 / RATE_HZ), 40) / 1000) ** (rng.uniform(-6, 1) / 3)
    noise = np.fft.irfft(np.fft.rfft(rng.standard_normal(n_samples)) * slope, n_samples)
    if rng.random() < 0.6:
        low_hz = _draw_log(rng, 80, 8000)
        band_hz = [low_hz, min(low_hz * 2 ** rng.uniform(0.3, 4), 22000)]
        noise = sosfilt(butter(2, band_hz, "band", fs=RATE_HZ, output="sos"), noise)
    if rng.random() < 0.5:
        wave = np.sin(2 * np.pi * _draw_log(rng, 0.2, 40) * _count_seconds(n_samples))
        noise = noise * (1 + rng.uniform(0, 1) * wave)
    return noise * _draw_envelope(rng, n_samples)


def make_grains(rng: np.random.Generator, n_samples: int) -> Floats:
    """A rain of twelve kinds of drops."""
    low_hz, high_hz = np.sort(_draw_log(rng, 300, 16000, 2))
    drops = []
    for _ in range(12):
        time_s = _count_seconds(int(rng.uniform(0.002, 0.05) * RATE_HZ))
        is_tone = rng.random() < 0.6
        body = (
            np.sin(2 * np.pi * rng.uniform(low_hz, high_hz) * time_s) if is_tone else rng.standard_normal(len(time_s))
        )
        drops.append(np.exp(-time_s * rng.uniform(100, 2000)) * body)
    rain = np.zeros(n_samples)
    for start in _draw_starts(rng, n_samples, _draw_log(rng, 2, 600)):
        drop = drops[rng.integers(len(drops))][: n_samples - start]
        rain[start : start + len(drop)] += rng.exponential(1) * drop
    return rain


def make_chirps(rng: np.random.Generator, n_samples: int) -> Floats:
    """Short calls that bend."""
    calls = np.zeros(n_samples)
    for start in _draw_starts(rng, n_samples, _draw_log(rng, 1, 7)):
        n_call = min(n_samples - start, int(rng.uniform(0.03, 0.5) * RATE_HZ))
        bend = np.log(_draw_log(rng, 500, 9000)) + rng.normal(0, 0.5, 3)
        pitch_hz = np.exp(np.interp(np.linspace(0, 1, n_call), [0, 0.5, 1], bend))
        buzz = rng.choice([0, 2]) * np.sin(2 * np.pi * rng.uniform(20, 300) * _count_seconds(n_call))
        call = np.hanning(n_call) * np.sin(2 * np.pi * np.cumsum(pitch_hz) / RATE_HZ + buzz)
        calls[start : start + n_call] += rng.uniform(0.3, 1) * call
    return calls


KINDS: tuple[Kind, ...] = (make_tone, make_hits, make_noise, make_grains, make_chirps)


def _draw_envelope(rng: np.random.Generator, n_samples: int) -> Floats:
    """A fall, a rise and a fall, or ups and downs."""
    time_s = _count_seconds(n_samples)
    kind = rng.integers(3)
    if kind == 0:
        return np.exp(-time_s * _draw_log(rng, 0.5, 30))
    if kind == 1:
        rise_s, fall_s = rng.uniform(0.002, 0.3), rng.uniform(0.05, 1.0)
        return np.minimum(time_s / rise_s, 1) * np.minimum((time_s[-1] - time_s) / fall_s, 1)
    n_points = rng.integers(3, 12)
    return np.interp(time_s, np.linspace(0, time_s[-1], n_points), 10 ** (rng.uniform(-40, 0, n_points) / 20))


def _put_in_a_room(rng: np.random.Generator, sound: Floats) -> Floats:
    """With noise that dies away as its echo."""
    n_echo = int(_draw_log(rng, 0.1, 2) * RATE_HZ)
    echo = rng.standard_normal(n_echo) * np.exp(-6.9 * np.arange(n_echo) / n_echo)
    echo[0] += rng.uniform(2, 20)
    return fftconvolve(sound, echo)[: len(sound)]


def _draw_starts(rng: np.random.Generator, n_samples: int, rate_hz: float) -> list[int]:
    """Places of what happens so often a second, once at least."""
    starts: list[int] = rng.integers(0, n_samples - 1, max(1, rng.poisson(rate_hz * n_samples / RATE_HZ))).tolist()
    return starts


def _draw_log(rng: np.random.Generator, low: float, high: float, size: int | None = None) -> Floats:
    """Numbers whose logarithms are spread evenly."""
    drawn: Floats = np.exp(rng.uniform(np.log(low), np.log(high), size))
    return drawn


def _count_seconds(n_samples: int) -> Floats:
    return np.arange(n_samples) / RATE_HZ


def _scale(sound: Floats) -> Floats:
    """At a peak of 1."""
    return sound / (np.abs(sound).max() + 1e-9)


def main() -> None:
    """Write the sounds; those that are there stay."""
    folder, n_sounds = Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else N_SOUNDS
    folder.mkdir(parents=True, exist_ok=True)
    for seed in range(n_sounds):
        path = folder / f"sound_{seed:04d}.flac"
        if not path.exists():
            soundfile.write(path, make_sound(seed), RATE_HZ)


if __name__ == "__main__":
    main()
