"""How time and memory of each stage grow with the number of files: the exponent of the count that fits them best."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence

import numpy as np

from experiments.bench.sounds import RATE_HZ, write_folder
from experiments.bench.stages import STAGES
from experiments.bench.trial import PROJECT, TINY_RATE_HZ, Figure, Trial
from sda.data.cache import DEFAULT_SAMPLE_RATE_HZ

COUNTS = (50, 150, 500)
FILE_S = 20.0
MOST_GROWTH = 1.1
"""Of time: as the number of files, and what timing is uncertain by."""
LEAST_S = 0.2
"""What is over sooner even with the most files says nothing of growth."""
MOST_HELD = 0.1
"""Of the waveforms that more files bring, how much may be held in memory that the system cannot drop."""


def measure(trial: Trial) -> list[Figure]:
    """Exponents of each stage over the counts, and how much of what more files bring stays in memory."""
    counts, file_s = trial.pick(COUNTS, (5, 8)), trial.file_s or trial.pick(FILE_S, 1.0)
    rate_hz = trial.rate_hz or trial.pick(DEFAULT_SAMPLE_RATE_HZ, TINY_RATE_HZ)
    seconds: dict[str, list[float]] = {stage: [] for stage in STAGES}
    own: dict[str, list[float]] = {stage: [] for stage in STAGES}
    for count in counts:
        for told in _run_stages(trial, count, file_s, rate_hz):
            seconds[told["stage"]].append(told["seconds"])
            own[told["stage"]].append(told["own"])
    figures = []
    for stage in STAGES:
        is_told = max(seconds[stage]) >= LEAST_S
        figures.append(
            Figure(
                f"{stage}: exponent of its time in the number of files",
                fit_exponent(counts, seconds[stage]),
                at_most=MOST_GROWTH if is_told and not trial.quick else None,
                detail=f"{_list(seconds[stage], 2)} s{'' if is_told else ', too soon over to tell'}",
            )
        )
    if any(None in told for told in own.values()):  # this system does not tell of memory
        return figures
    figures += [
        Figure(
            f"{stage}: exponent of memory of its own",
            fit_exponent(counts, own[stage]),
            detail=f"{_list([value / 2**20 for value in own[stage]], 0)} MiB",
        )
        for stage in STAGES
    ]
    added = (counts[-1] - counts[0]) * file_s * rate_hz * 4
    worst = max(STAGES, key=lambda stage: own[stage][-1] - own[stage][0])
    return [
        *figures,
        Figure(
            "most that a stage holds in memory beyond the fewest files' / waveforms added",
            (own[worst][-1] - own[worst][0]) / added,
            at_most=None if trial.quick else MOST_HELD,
            detail=f"{worst}, {'/'.join(map(str, counts))} files of {file_s:g} s at {rate_hz} Hz",
        ),
    ]


def fit_exponent(counts: Sequence[float], values: Sequence[float]) -> float:
    """The `a` of the `c · count^a` that is nearest to the values, by least squares of logarithms.

    >>> round(fit_exponent([50, 150, 500], [1.0, 3.0, 10.0]), 6)
    1.0
    """
    return float(np.polyfit(np.log(counts), np.log(values), 1)[0])


def _run_stages(trial: Trial, count: int, file_s: float, rate_hz: int) -> list[dict[str, float]]:
    """All stages for so many files, in a process of their own."""
    sounds = trial.folder / f"{count}_grown"
    write_folder(sounds, count, file_s, rate_hz * RATE_HZ // DEFAULT_SAMPLE_RATE_HZ)
    heard = f"audio.sample_rate_hz={rate_hz}"
    done = subprocess.run(
        [sys.executable, "-m", "experiments.bench.stages", str(trial.folder), str(sounds), *trial.overrides, heard],
        cwd=PROJECT,
        env={**os.environ, "PYTHONPATH": str(PROJECT)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"stages of {count} files failed:\n{done.stderr}")
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith('{"stage"')]


def _list(values: Sequence[float], digits: int) -> str:
    return "/".join(f"{value:.{digits}f}" for value in values)
