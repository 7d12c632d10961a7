"""What a sweep adds to its jobs: jobs that have nothing to do, and jobs beside the same under Hydra's own launcher."""

import subprocess
import sys
import time
from pathlib import Path

from experiments.bench.trial import PROJECT, TINY, Figure, Trial
from sda.config.arguments import quote_value

N_JOBS = 10
SHORT = (
    "training.max_epochs=1",
    "regularization.augmentation_expansion=0",
    "evaluation.at_end=none",
    "tracking=none",
)
"""Settings of a job that is over soon: what is measured is what lies around it."""
JOBLIB = ("hydra/launcher=joblib", "hydra.launcher.n_jobs=1")


def measure(trial: Trial) -> list[Figure]:
    """Train jobs one after the other, in one process and under joblib, then again with all of them finished before."""
    n_jobs = trial.pick(N_JOBS, 2)
    basic, joblib = trial.folder / "sweep_basic", trial.folder / "sweep_joblib"
    basic_s = _time_sweep(trial, basic, n_jobs)
    joblib_s = _time_sweep(trial, joblib, n_jobs, *JOBLIB)
    all_found_s = _time_sweep(trial, joblib, n_jobs, *JOBLIB)
    one_found_s = _time_sweep(trial, joblib, 1, *JOBLIB)
    return [
        Figure(
            "an empty job of a sweep under joblib, after the first / a second",
            max(all_found_s - one_found_s, 1e-3) / (n_jobs - 1),
            at_most=1.0,
            detail=f"{n_jobs} jobs in {all_found_s:.1f} s, one in {one_found_s:.1f} s",
        ),
        Figure(
            "a sweep under joblib, one job at once / under Hydra's own launcher",
            joblib_s / basic_s,
            detail=f"{joblib_s:.1f} s and {basic_s:.1f} s for {n_jobs} tiny jobs",
        ),
    ]


def _time_sweep(trial: Trial, folder: Path, n_jobs: int, *launcher: str) -> float:
    """Seconds from the command to its end."""
    seeds = ",".join(str(seed) for seed in range(n_jobs))
    given = {
        "data.root": quote_value(str(trial.data)),
        "data.cache_dir": quote_value(str(trial.folder / "sweep_cache")),
        "hydra.sweep.dir": quote_value(str(folder)),
        "seed": seeds,
    }
    arguments = [f"{key}={value}" for key, value in given.items()]
    told = [*TINY, *SHORT, *launcher]
    started = time.perf_counter()
    command = [sys.executable, str(PROJECT / "train.py"), "-m", *arguments, *told]
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - started
