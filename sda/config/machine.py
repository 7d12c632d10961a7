"""How trainings share a machine, with each other and with everything else: cores, threads, GPUs.

Nothing here imports torch, so that a sweep's own process stays small.
"""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

from filelock import FileLock, Timeout

FEW_CORES = 4
"""Up to so many, every job gets one of them; above, two: small networks gain little from more."""
JOB_MEMORY_GB = 2.0
"""What a training of the default model takes, sounds left out: they are mapped from the cache."""
VISIBLE = "CUDA_VISIBLE_DEVICES"
THREADS = "OMP_NUM_THREADS"

SPINS, WAIT_POLICY = "GOMP_SPINCOUNT", "OMP_WAIT_POLICY"
FEW_SPINS = 10_000
"""How often a thread looks whether the others are done before it sleeps."""


def wait_politely() -> None:
    """Let threads that wait for each other give up their core soon; to be called before torch is imported.

    Left alone, libgomp's threads spin for milliseconds. Where anything else runs, the thread that is waited for may be
    the one without a core: on two cores a step that takes 0.35 s took 7 to 11 s beside one other busy process, with
    20,000 spins 0.32 and 1.6 s, with 5,000 0.65 s beside it. What you set yourself is left alone, and no result
    depends on it.
    """
    if WAIT_POLICY not in os.environ:
        os.environ.setdefault(SPINS, str(FEW_SPINS))


def share_cores(n_cores: int, n_gpus: int, memory_gb: float) -> tuple[int, int]:
    """Jobs at once, and threads of each: one job for each GPU, or as many as cores and memory carry.

    Threads follow from cores and GPUs alone: on another number of them results differ in their last bits, and how much
    memory is free at a moment is to decide no results.

    >>> share_cores(2, 0, 24), share_cores(16, 0, 64), share_cores(16, 0, 6), share_cores(16, 2, 64)
    ((2, 1), (8, 2), (3, 2), (2, 8))
    """
    n_places = n_gpus or (n_cores if n_cores <= FEW_CORES else n_cores // 2)
    return max(1, min(n_places, int(memory_gb // JOB_MEMORY_GB))), max(1, n_cores // n_places)


def measure_machine() -> tuple[int, int, float]:
    """Cores that this process may use, GPUs that it sees, and memory that is free, in GB."""
    return count_cores(), count_gpus(), _measure_free_memory_gb()


def count_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def count_gpus() -> int:
    """CUDA devices that this process may use."""
    if VISIBLE in os.environ:
        return len([name for name in os.environ[VISIBLE].split(",") if name.strip() not in ("", "-1")])
    if shutil.which("nvidia-smi") is None:
        return 0
    listed = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, check=False).stdout
    return sum(line.startswith("GPU ") for line in listed.splitlines())


@contextmanager
def claim_gpu(folder: Path, n_gpus: int) -> Iterator[int | None]:
    """A GPU for one job among those that run beside it, by its place among those visible; nothing where there is none.

    Jobs take the first free place; more jobs than GPUs share them evenly. The system lets go of a place however its
    process ends.

    Args:
        folder: that of the sweep, where places are held.
    """
    if n_gpus == 0:
        yield None
        return
    for place in count():
        lock = FileLock(folder / f".place_{place}.lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            continue
        with lock:
            yield place % n_gpus
        return


def _measure_free_memory_gb() -> float:
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        free_kb = next(int(line.split()[1]) for line in lines if line.startswith("MemAvailable:"))
        return free_kb / 2**20
    except (OSError, StopIteration):
        return 1e9  # not Linux: cores decide alone
