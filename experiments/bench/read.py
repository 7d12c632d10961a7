"""How fast chunks come from the cache, beside a plain copy of the same bytes and beside decoding them anew."""

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np
import soundfile
import torch
import torchaudio

from experiments.bench.sounds import write_folder
from experiments.bench.timing import divide, take_turns
from experiments.bench.trial import Figure, Trial
from sda.data.cache import SoundCache
from sda.data.corpus import Corpus

CPU = torch.device("cpu")
RATE_HZ = 48000
N_CHUNKS = 32
LENGTHS_S = (1, 10, 60, 300)
TOTAL_S = 300
"""Sound in all for every length: many short files or one long one, so that they fill the processor's caches alike."""
N_BATCHES = 16
"""Sets of random places, taken in turn."""

N_FAST_ROUNDS = 250
N_SLOW_ROUNDS = 5

Places = list[tuple[str, int]]


@dataclass(frozen=True)
class _Readers:
    """Ways to get the same chunks."""

    cached: Callable[[], object]
    copied: Callable[[], object]
    sought: Callable[[], object]
    decoded: Callable[[], object]


def measure(trial: Trial) -> list[Figure]:
    """Cost of a chunk from files of every length."""
    lengths = trial.pick(LENGTHS_S, (1, 2))
    total_s = trial.pick(TOTAL_S, 2)
    corpus = Corpus(SoundCache(trial.folder / "cache", RATE_HZ))
    readers = {}
    for length_s in lengths:
        paths = write_folder(trial.folder / f"sounds_{length_s}_s", total_s // length_s, length_s)
        readers[length_s] = _build_readers(corpus, paths, length_s)
    fast = take_turns(
        {f"{length_s} {way}": getattr(readers[length_s], way) for length_s in lengths for way in ("cached", "copied")},
        trial.pick(N_FAST_ROUNDS, 2),
        CPU,
    )
    slow = take_turns(
        {
            f"{length_s} {way}": getattr(readers[length_s], way)
            for length_s in lengths
            for way in ("cached", "sought", "decoded")
        },
        trial.pick(N_SLOW_ROUNDS, 2),
        CPU,
    )
    return _describe(lengths, fast, slow)


def _describe(lengths: tuple[int, ...], fast: dict[str, list[float]], slow: dict[str, list[float]]) -> list[Figure]:
    shortest, longest = lengths[0], lengths[-1]
    figures = [
        Figure(
            f"cost of a cached chunk: file of {longest} s / of {shortest} s",
            divide(fast[f"{longest} cached"], fast[f"{shortest} cached"]),
            at_most=1.5,
        )
    ]
    for length_s in lengths:
        cached = fast[f"{length_s} cached"]
        rate = N_CHUNKS / median(cached)
        figures += [
            Figure(
                f"cost of a chunk, file of {length_s} s: cache / copy of the bytes",
                divide(cached, fast[f"{length_s} copied"]),
                at_most=3.0,
                detail=f"{rate:.0f} chunks/s",
            ),
            Figure(
                f"cost of a chunk, file of {length_s} s: seek, decode, resample / cache",
                # one chunk, where the cache gives a batch
                N_CHUNKS * divide(slow[f"{length_s} sought"], slow[f"{length_s} cached"]),
            ),
            Figure(
                f"cost of a chunk, file of {length_s} s: decode all, resample / cache",
                N_CHUNKS * divide(slow[f"{length_s} decoded"], slow[f"{length_s} cached"]),
            ),
        ]
    return figures


def _build_readers(corpus: Corpus, paths: list[Path], length_s: int) -> _Readers:
    rng = np.random.default_rng(0)
    names = [str(path) for path in paths]
    corpus.preload(names, CPU)
    waveforms = {name: corpus.get(name).numpy() for name in names}
    ends = [len(waveforms[names[0]])] * N_CHUNKS

    def draw_places() -> Places:
        files = rng.integers(len(names), size=N_CHUNKS).tolist()
        starts = rng.integers(0, ends[0] - RATE_HZ + 1, N_CHUNKS).tolist()
        return [(names[file], start) for file, start in zip(files, starts, strict=True)]

    drawn = [draw_places() for _ in range(N_BATCHES)]
    batches, copies, chunks, wholes = (itertools.cycle(drawn) for _ in range(4))
    memory = np.empty((N_CHUNKS, RATE_HZ), np.float32)

    def copy() -> None:
        for row, (name, start) in enumerate(next(copies)):
            np.copyto(memory[row], waveforms[name][start : start + RATE_HZ])

    return _Readers(
        cached=lambda: corpus.read(next(batches), RATE_HZ, ends),
        copied=copy,
        sought=lambda: read_anew(*next(chunks)[0], RATE_HZ, RATE_HZ),
        decoded=lambda: _decode_all(*next(wholes)[0]),
    )


def read_anew(path: str, start: int, n_samples: int, rate_hz: int) -> torch.Tensor:
    """A chunk as most loaders get it: seek in the file, decode, mix down and resample, `[n_samples]` or shorter.

    Args:
        start: first sample, at `rate_hz`.
    """
    with soundfile.SoundFile(path) as file:
        file.seek(min(file.frames, round(start * file.samplerate / rate_hz)))
        block = file.read(round(n_samples * file.samplerate / rate_hz), dtype="float32", always_2d=True)
        own_rate_hz = file.samplerate
    waveform = torch.from_numpy(block.mean(axis=1))
    resampled: torch.Tensor = torchaudio.functional.resample(waveform, own_rate_hz, rate_hz)
    return resampled[:n_samples]


def _decode_all(path: str, start: int) -> torch.Tensor:
    """A chunk as the plainest loaders get it: decode the whole file, cut, and resample what was cut out."""
    waveform, own_rate_hz = soundfile.read(path, dtype="float32")
    first = round(start * own_rate_hz / RATE_HZ)
    chunk = torch.from_numpy(waveform[first : first + own_rate_hz])
    resampled: torch.Tensor = torchaudio.functional.resample(chunk, own_rate_hz, RATE_HZ)
    return resampled
