"""One job of a sweep: found, continued or trained, with its end noted in the sweep's folder."""

import math
import os
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from omegaconf import DictConfig, OmegaConf
from rich.console import Console

from sda.config.machine import THREADS, claim_gpu, count_gpus, measure_machine, share_cores
from sda.errors import OrphanedError, SdaError
from sda.runs.folder import CONSOLE, LOCK, read_summary
from sda.runs.objective import read_objective
from sda.runs.plan import Plan
from sda.runs.resume import plan_resume
from sda.runs.sweep_claim import IsOrphaned, at_work, claim_job, hold_when_free, watch_sweep
from sda.runs.sweep_command import list_swept, name_setting
from sda.runs.sweep_folder import (
    BEGUN,
    JobEnd,
    find_free_place,
    note_job,
    place_job,
    read_command,
    read_pid,
    read_session,
)
from sda.terminal import print_lines

BESIDE_EACH_OTHER = frozenset({"joblib", "ray", "submitit_local", "submitit_slurm"})
"""Launchers whose jobs run at the same time."""
SHARES_GPUS = "joblib"
"""The launcher that leaves GPUs to us; the others hand them out."""


@dataclass(frozen=True)
class Job:
    """A job as the launcher hands it out."""

    number: int
    run_dir: Path
    sweep_dir: Path
    overrides: list[str]
    launcher: str


def run_job(job: Job, composed: DictConfig, plan: Callable[[DictConfig, Path], Plan]) -> tuple[float | None, int]:
    """Train a job's run, or go on with it, or read what it came to when it finished before.

    Where another process is at the very same job, its end is waited for.

    Args:
        plan: settles the run in a folder.

    Returns:
        the run's objective, or nothing where it has none; and the exit code of its training, 0 where the others
        should go on.

    Raises:
        OrphanedError: the sweep's own process is gone.
        SdaError: it cannot be trained; the sweep's folder says so, and the other jobs go on.
    """
    is_orphaned = watch_sweep(job.launcher, read_pid(job.sweep_dir))
    with at_work():
        return _run_job(job, composed, plan, is_orphaned)


def _run_job(
    job: Job, composed: DictConfig, plan: Callable[[DictConfig, Path], Plan], is_orphaned: IsOrphaned
) -> tuple[float | None, int]:
    session = read_session(job.sweep_dir)

    def note(run_dir: Path, outcome: str, reason: str = "") -> None:
        note_job(job.sweep_dir, JobEnd(session, job.number, str(run_dir), job.overrides, outcome, reason))

    def say_waiting() -> None:
        line = f"{_name(job)}: another process is at it; its end is waited for, and nothing trained twice"
        print_lines(Console(stderr=False), [line])

    def wait_for(run_dir: Path) -> None:
        hold_when_free(run_dir / LOCK, is_orphaned, say_waiting).release()

    run_dir = find_free_place(job.run_dir)
    note(run_dir, BEGUN)
    with ExitStack() as stack:
        if job.launcher == SHARES_GPUS:
            gpu = stack.enter_context(claim_gpu(job.sweep_dir, count_gpus()))
            if gpu is not None and composed.training.device == "auto":
                OmegaConf.update(composed, "training.device", f"cuda:{gpu}")
        try:
            settled = plan(composed, run_dir)
            identity = settled.identity
            stack.enter_context(claim_job(job.sweep_dir, identity, is_orphaned, say_waiting))
            place = place_job(identity, job.sweep_dir, job.run_dir, wait_for)
            run_dir = place.run_dir
            settled = replace(settled, run_dir=run_dir)
            code, outcome = 0, "found"
            if not place.is_finished:
                code = _train(job, settled, composed, stack, is_begun=place.is_begun, is_orphaned=is_orphaned)
                status = read_summary(run_dir)["status"]
                outcome = ("continued" if place.is_begun else "trained") if status == "finished" else status
        except (KeyboardInterrupt, OrphanedError):
            note(run_dir, "stopped")
            raise
        except Exception as error:
            note(run_dir, "failed", str(error) if isinstance(error, SdaError) else f"{type(error).__name__}: {error}")
            raise
    note(run_dir, outcome)
    objective = read_objective(run_dir, composed.sweep.objective)
    return None if math.isnan(objective) else objective, code


def share_threads(launcher: str, settings: DictConfig) -> str:
    """Give each of the jobs that run at once on this machine its share of cores, and say so.

    Called before there are any, as they inherit it; what you set yourself (`OMP_NUM_THREADS`) is left alone.

    Args:
        settings: the launcher's.

    Returns:
        empty where jobs run one after the other, or elsewhere.
    """
    if launcher == "joblib":
        where, key = settings, "n_jobs"
    elif launcher == "ray" and settings.ray.init.get("address") is None:
        where, key = settings.ray.init, "num_cpus"
    else:
        return ""
    n_cores, n_gpus, memory_gb = measure_machine()
    at_once = where[key] if where[key] > 0 else n_cores
    is_yours = not OmegaConf.is_interpolation(where, key)
    share = max(1, n_cores // at_once) if is_yours else share_cores(n_cores, n_gpus, memory_gb)[1]
    n_threads = os.environ.setdefault(THREADS, str(share))
    machine = f"{n_cores} core{'s' * (n_cores != 1)}, {n_gpus or 'no'} GPU{'s' * (n_gpus > 1)}, {memory_gb:.0f} GB free"
    return f"{launcher}: {at_once} jobs at once, {n_threads} thread{'s' * (n_threads != '1')} each ({machine})"


def _train(
    job: Job, plan: Plan, composed: DictConfig, stack: ExitStack, *, is_begun: bool, is_orphaned: IsOrphaned
) -> int:
    from sda.app.train import EXIT_UNSAVED, run_training

    layers: str | None = OmegaConf.to_yaml(composed)
    if is_begun:
        here = {"training.device": composed.training.device}  # it may have begun on another machine
        plan, layers = replace(plan_resume(str(plan.run_dir), here), sweep_dir=job.sweep_dir), None
    console = Console(stderr=False)
    name = _name(job)
    if job.launcher in BESIDE_EACH_OTHER:
        plan.run_dir.mkdir(parents=True, exist_ok=True)
        file = stack.enter_context(open(plan.run_dir / CONSOLE, "a", encoding="utf-8"))
        print_lines(console, [f"{name}: {'goes on' if is_begun else 'begins'}; see {plan.run_dir / CONSOLE}"])
        console = Console(file=file, width=200)
    else:
        print_lines(console, ["", name])
    code = run_training(plan, console, layers, is_orphaned)
    return 0 if code == EXIT_UNSAVED else code  # the other jobs may have a disk with room


def _name(job: Job) -> str:
    """A job in words: its number and what it was given."""
    return f"job {job.number} ({name_setting(list_swept(job.overrides, read_command(job.sweep_dir)))})"
