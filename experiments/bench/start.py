"""From the command to the first step, beside the least that any such program must wait for: its imports."""

import subprocess
import sys
import time
from statistics import median

from experiments.bench.commands import Observed, observe_training
from experiments.bench.timing import divide
from experiments.bench.trial import Figure, Trial

N_ROUNDS = 2
IMPORTS = "import hydra, torch, torchaudio"


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
        Figure("start, warm cache / importing torch and hydra", divide(warm_s, imports_s), detail=_tell(warm_s)),
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
    return figures


def _time_imports() -> float:
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", IMPORTS], check=True)
    return time.perf_counter() - started


def _tell(seconds: list[float]) -> str:
    return f"{median(seconds):.1f} s"
