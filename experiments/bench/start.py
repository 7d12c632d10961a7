"""From the command to the first step, beside the least that any such program must wait for: its imports."""

import os
import subprocess
import sys
import time
from statistics import median

from experiments.bench.commands import Observed, observe_training
from experiments.bench.timing import divide
from experiments.bench.trial import PROJECT, Figure, Trial

N_ROUNDS = 2
N_ANSWERS = 5
IMPORTS = "import hydra, torch, torchaudio"
ANSWERS = {"its help": ["--help"], "an unknown key": ["data.root=.", "training.max_epoch=3"]}
"""What is answered without looking at any sound."""


def measure(trial: Trial) -> list[Figure]:
    """Start with an empty and a full cache folder, and where the time goes."""
    if not trial.quick:
        observe_training(trial, trial.data, trial.folder / "start_cache", 1)  # compiles and finds what is imported
    imports_s: list[float] = []
    cold: list[Observed] = []
    warm: list[Observed] = []
    for number in range(trial.pick(N_ROUNDS, 1)):
        imports_s.append(_time_imports())
        for starts in (cold, warm):  # the first run of a pair fills the cache
            starts.append(observe_training(trial, trial.data, trial.folder / f"start_cache_{number}", 1))
    cold_s, warm_s = ([observed.start_s for observed in starts] for starts in (cold, warm))
    figures = [
        Figure(
            "start, warm cache / importing torch and hydra",
            divide(warm_s, imports_s),
            at_most=2.0,
            detail=_tell(warm_s),
        ),
        Figure("start, cold cache / importing torch and hydra", divide(cold_s, imports_s), detail=_tell(cold_s)),
        Figure("start: cold / warm cache", divide(cold_s, warm_s)),
    ]
    for name, starts in (("warm", warm), ("cold", cold)):
        figures += [
            Figure(
                f"share of the start, {name} cache: {stage}",
                median(observed.stages_s[stage] / observed.start_s for observed in starts),
            )
            for stage in starts[0].stages_s
        ]
    return [*figures, *_compare_answers(trial)]


def _compare_answers(trial: Trial) -> list[Figure]:
    """Processor time of what is over at once, beside importing Hydra: wall time would be that of reading files."""
    seconds: dict[str, list[float]] = {"": [], **{name: [] for name in ANSWERS}}
    for _ in range(trial.pick(N_ANSWERS, 1)):
        seconds[""].append(_measure_cpu(["-c", "import hydra"]))
        for name, arguments in ANSWERS.items():
            seconds[name].append(_measure_cpu([str(PROJECT / "train.py"), *arguments]))
    return [
        Figure(
            f"processor time: train.py says {name} / importing hydra",
            divide(seconds[name], seconds[""]),
            at_most=3.0,
            detail=_tell(seconds[name]),
        )
        for name in ANSWERS
    ]


def _measure_cpu(arguments: list[str]) -> float:
    """Seconds that all threads of a Python process compute."""
    process = subprocess.Popen([sys.executable, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return usage.ru_utime + usage.ru_stime


def _time_imports() -> float:
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", IMPORTS], check=True)
    return time.perf_counter() - started


def _tell(seconds: list[float]) -> str:
    return f"{median(seconds):.1f} s"
