"""One job of a sweep: found, continued or trained, with its end noted in the sweep's folder."""

import os
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from omegaconf import DictConfig, OmegaConf
from rich.console import Console

from sda.app.objective import read_objective
from sda.app.plan import Plan, plan_resume
from sda.app.report import print_lines
from sda.app.runs import read_summary
from sda.app.sweep import (
    JobEnd,
    find_free_place,
    list_swept,
    note_job,
    place_job,
    read_command,
    read_session,
)
from sda.config.machine import claim_gpu, count_gpus, measure_machine, share_cores
from sda.errors import SdaError

CONSOLE = "console.txt"
"""Where a job writes what it would print, when others run beside it."""
BESIDE_EACH_OTHER = frozenset({"joblib", "ray", "submitit_local", "submitit_slurm"})
"""Launchers whose jobs run at the same time."""
SHARES_GPUS = "joblib"
"""The launcher that leaves GPUs to us; the others hand them out."""
THREADS = "OMP_NUM_THREADS"
_FAILED = "failed"


@dataclass(frozen=True)
class Job:
    """A job as the launcher hands it out."""

    number: int
    run_dir: Path
    sweep_dir: Path
    overrides: list[str]
    launcher: str


def run_job(job: Job, composed: DictConfig, plan: Callable[[DictConfig, Path], Plan]) -> tuple[float, int]:
    """Train a job's run, or go on with it, or read what it came to when it finished before.

    Args:
        plan: settles the run in a folder.

    Returns:
        the run's objective, not a number where it has none; and the exit code of its training.

    Raises:
        SdaError: it cannot be trained; the sweep's folder says so, and the other jobs go on.
    """
    session = read_session(job.sweep_dir)

    def note(run_dir: Path, outcome: str, reason: str = "") -> None:
        note_job(job.sweep_dir, JobEnd(session, job.number, str(run_dir), job.overrides, outcome, reason))

    run_dir = find_free_place(job.run_dir)
    with ExitStack() as stack:
        if job.launcher == SHARES_GPUS:
            gpu = stack.enter_context(claim_gpu(job.sweep_dir, count_gpus()))
            if gpu is not None and composed.training.device == "auto":
                OmegaConf.update(composed, "training.device", f"cuda:{gpu}")
        try:
            settled = plan(composed, run_dir)
            place = place_job(settled, job.sweep_dir)
            run_dir = place.run_dir
            if not place.is_finished:
                code = _train(job, settled, composed, run_dir if place.is_begun else None, stack)
                status = read_summary(run_dir)["status"]
                note(run_dir, ("continued" if place.is_begun else "trained") if status == "finished" else status)
            else:
                code = 0
                note(run_dir, "found")
        except SdaError as error:
            note(run_dir, _FAILED, str(error))
            raise
        except (Exception, KeyboardInterrupt) as error:
            note(run_dir, _FAILED, f"{type(error).__name__}: {error}")
            raise
    return read_objective(run_dir, composed.sweep.objective), code


def share_threads(launcher: str, n_jobs: int | None) -> str:
    """Give each of the jobs that run at once on this machine its share of cores, and say so.

    Called before there are any, as they inherit it; what you set yourself (`OMP_NUM_THREADS`) is left alone.
    """
    if launcher not in ("joblib", "ray"):
        return ""
    n_cores, n_gpus, memory_gb = measure_machine()
    at_once = n_jobs or share_cores(n_cores, n_gpus, memory_gb)[0]
    at_once = at_once if at_once > 0 else n_cores
    n_threads = os.environ.setdefault(THREADS, str(max(1, n_cores // at_once)))
    machine = f"{n_cores} core{'s' * (n_cores != 1)}, {n_gpus or 'no'} GPU{'s' * (n_gpus > 1)}, {memory_gb:.0f} GB free"
    return f"{launcher}: {at_once} jobs at once, {n_threads} thread{'s' * (n_threads != '1')} each ({machine})"


def _train(job: Job, plan: Plan, composed: DictConfig, begun: Path | None, stack: ExitStack) -> int:
    from sda.app.train import run_training

    layers: str | None = OmegaConf.to_yaml(composed)
    if begun is not None:
        plan, layers = replace(plan_resume(str(begun), {}), sweep_dir=job.sweep_dir), None
    console = Console(stderr=False)
    name = f"job {job.number} ({' '.join(list_swept(job.overrides, read_command(job.sweep_dir)))})"
    if job.launcher in BESIDE_EACH_OTHER:
        plan.run_dir.mkdir(parents=True, exist_ok=True)
        file = stack.enter_context(open(plan.run_dir / CONSOLE, "a", encoding="utf-8"))
        print_lines(console, [f"{name}: {'goes on' if begun else 'begins'}; see {plan.run_dir / CONSOLE}"])
        console = Console(file=file, width=200)
    else:
        print_lines(console, ["", name])
    return run_training(plan, console, layers)
