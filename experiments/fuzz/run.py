"""Scan thousands of damaged sound files and see that nothing worse than a reason comes of any of them.

Usage: python -m experiments.fuzz.run [--n 10000] [--seed 0] [--workers 2] [--keep FOLDER]

Each file is made and scanned in a process that may die or stand still without harm to the others. Prints what came
of it, with JSON on the last line, and exits with 1 where something was worse. Linux or macOS.
"""

import argparse
import faulthandler
import json
import multiprocessing
import multiprocessing.connection
import os
import resource
import signal
import statistics
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from experiments.fuzz.mutations import RATE_HZ, make_seeds, mutate
from sda.audio.resampling import expected_samples
from sda.data.cache import SoundCache
from sda.data.scan import scan_file

HANG_S = 20.0
"""A file of a few kilobytes that takes longer never ends."""

GROWTH_MB = 32.0
"""What a process may grow by between the second fifth of its files and the last; more is a leak."""

PEAK_MB = 512.0
"""What a process may need at any time above what it began with."""

Look = Callable[[Path, Path], str]
"""`(file, folder for a cache)` → why the file is left out, empty for a usable one."""

Spawned = multiprocessing.get_context("spawn")


@dataclass
class Outcome:
    """What came of one file."""

    number: int
    problem: str = ""
    """Empty, or the kind of defect: `crash`, `hang`, `exception`."""
    details: str = ""
    reason: str = ""
    """Why it was left out; empty for a usable file."""
    duration_s: float = 0.0
    memory_mb: float = 0.0
    """Of the process, after this file."""
    peak_mb: float = 0.0
    """The most that the process has needed so far, above what it began with."""


@dataclass
class Worker:
    """A process and the file it is busy with."""

    process: multiprocessing.process.BaseProcess
    connection: multiprocessing.connection.Connection
    words: Path
    """Where everything goes that the process prints, such as the stack at a crash."""
    number: int = -1
    since_s: float = 0.0


def scan(path: Path, cache_dir: Path) -> str:
    """Scan a file as training does, and check what is in the cache then."""
    cache = SoundCache(cache_dir, RATE_HZ)
    try:
        file, _ = scan_file(path, cache=cache)
        if file.usable:
            waveform, measured = cache.open_waveform(file.sha256), file.measured
            assert waveform is not None, "usable, but not in the cache"
            assert np.isfinite(waveform).all(), "usable, but not finite"
            expected = expected_samples(measured.n_frames, measured.sample_rate_hz, RATE_HZ)
            assert len(waveform) == expected, f"{len(waveform)} samples in the cache, {expected} in the file"
        assert not list(cache_dir.glob("*/.*")), "a draft was left in the cache"
        return file.reason
    finally:
        cache.clear()


def fuzz(numbers: range, seed: int = 0, n_workers: int = 2, look: Look = scan, hang_s: float = HANG_S) -> list[Outcome]:
    """Look at the damaged files of these numbers, and tell of each what came of it, in their order."""
    with tempfile.TemporaryDirectory() as scratch:
        folders = [Path(scratch, str(index)) for index in range(min(n_workers, len(numbers)))]
        outcomes = list(_supervise(iter(numbers), folders, seed=seed, look=look, hang_s=hang_s))
    return sorted(outcomes, key=lambda outcome: outcome.number)


def find_growth_mb(outcomes: list[Outcome]) -> float:
    """The growth of memory between the second fifth of the files and the last; a leak shows here and not in a peak."""
    memory = [outcome.memory_mb for outcome in outcomes if outcome.memory_mb]
    fifth = len(memory) // 5
    return statistics.median(memory[-fifth:]) - statistics.median(memory[fifth : 2 * fifth]) if fifth else 0.0


def _supervise(
    numbers: Iterator[int], folders: list[Path], *, seed: int, look: Look, hang_s: float
) -> Iterator[Outcome]:
    """One process a folder; one that dies is replaced."""
    workers = {folder: _start(folder, seed, look) for folder in folders}
    try:
        for worker in workers.values():
            _feed(worker, next(numbers, -1))
        while busy := {folder: worker for folder, worker in workers.items() if worker.number >= 0}:
            multiprocessing.connection.wait([worker.connection for worker in busy.values()], timeout=0.2)
            for folder, worker in busy.items():
                outcome = _collect(worker, hang_s)
                if outcome is None:
                    continue
                number = next(numbers, -1)
                if outcome.problem in ("crash", "hang") and number >= 0:
                    workers[folder] = _start(folder, seed, look)
                _feed(workers[folder], number)
                yield outcome
    finally:
        for worker in workers.values():
            worker.connection.close()
            worker.process.join(5)
            worker.process.kill()


def _start(folder: Path, seed: int, look: Look) -> Worker:
    folder.mkdir(exist_ok=True)
    ours, theirs = Spawned.Pipe()
    process = Spawned.Process(target=_work, args=(theirs, folder, seed, look), daemon=True)
    process.start()
    theirs.close()
    ours.recv()  # it is ready: what it takes to start is nobody's hang
    return Worker(process, ours, folder / "printed.txt")


def _feed(worker: Worker, number: int) -> None:
    """Give a process the next file, or nothing more where the number is negative."""
    worker.number, worker.since_s = number, time.monotonic()
    if number >= 0:
        worker.connection.send(number)


def _collect(worker: Worker, hang_s: float) -> Outcome | None:
    """What came of the file a process is busy with; nothing while it may still be at work."""
    duration_s = time.monotonic() - worker.since_s
    try:
        if worker.connection.poll():
            outcome = worker.connection.recv()
            assert isinstance(outcome, Outcome)
            return outcome
    except EOFError:
        worker.process.join()
        code = worker.process.exitcode or 0
        cause = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        return Outcome(worker.number, "crash", f"{cause}\n{_read_words(worker)}", duration_s=duration_s)
    if duration_s < hang_s or not worker.process.is_alive():
        return None
    assert worker.process.pid is not None
    os.kill(worker.process.pid, signal.SIGABRT)  # makes it say where it stands
    worker.process.join(10)
    worker.process.kill()
    return Outcome(worker.number, "hang", _read_words(worker), duration_s=duration_s)


def _read_words(worker: Worker) -> str:
    return worker.words.read_text(encoding="utf-8", errors="replace")[-4000:] if worker.words.exists() else ""


def _work(connection: multiprocessing.connection.Connection, folder: Path, seed: int, look: Look) -> None:
    """Look at one file after the other, as long as numbers come."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    words = os.open(folder / "printed.txt", os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    os.dup2(words, 1)
    os.dup2(words, 2)
    faulthandler.enable()
    warnings.simplefilter("error")
    make_seeds()
    start_mb = _measure_memory_mb()
    connection.send("ready")
    while True:
        try:
            number = connection.recv()
        except EOFError:
            return
        os.ftruncate(words, 0)
        mutant = mutate(number, seed)
        path = folder / mutant.name
        path.write_bytes(mutant.data)
        outcome, started = Outcome(number), time.perf_counter()
        try:
            outcome.reason = look(path, folder / "cache")
        except Exception:  # whatever escapes is what is looked for
            outcome.problem, outcome.details = "exception", traceback.format_exc()
        outcome.duration_s = time.perf_counter() - started
        outcome.memory_mb, outcome.peak_mb = _measure_memory_mb(), _measure_peak_mb() - start_mb
        path.unlink()
        connection.send(outcome)


def _measure_memory_mb() -> float:
    """What this process has in memory now; where the system does not tell, the most it has had."""
    try:
        n_pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return _measure_peak_mb()
    return n_pages * resource.getpagesize() / 1e6


def _measure_peak_mb() -> float:
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


def _keep(folder: Path, outcome: Outcome, seed: int) -> None:
    mutant = mutate(outcome.number, seed)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{seed}-{outcome.number}{Path(mutant.name).suffix}"
    path.write_bytes(mutant.data)
    told = f"{outcome.problem}\n{' → '.join(mutant.recipe)}\n\n{outcome.details}"
    path.with_name(path.name + ".txt").write_text(told, encoding="utf-8")


def _summarise(reason: str) -> str:
    """A reason without the numbers in it."""
    return " ".join(word for word in reason.partition(":")[0].split() if not any(sign.isdigit() for sign in word))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n", type=int, default=10_000, help="files to make (default 10000)")
    parser.add_argument("--seed", type=int, default=0, help="other seeds make other files (default 0)")
    parser.add_argument("--workers", type=int, default=2, help="processes (default 2)")
    parser.add_argument("--keep", type=Path, help="folder for the files that do harm, each with what it did")
    arguments = parser.parse_args()
    outcomes = fuzz(range(arguments.n), arguments.seed, arguments.workers)
    harmful = [outcome for outcome in outcomes if outcome.problem]
    durations_s = sorted(outcome.duration_s for outcome in outcomes)
    slowest = max(outcomes, key=lambda outcome: outcome.duration_s)
    for outcome in harmful:
        print(f"{outcome.problem} at {outcome.number}: {' → '.join(mutate(outcome.number, arguments.seed).recipe)}")
        print(outcome.details)
        if arguments.keep:
            _keep(arguments.keep, outcome, arguments.seed)
    figures = {
        "n_files": len(outcomes),
        "n_usable": sum(not outcome.reason and not outcome.problem for outcome in outcomes),
        **{kind: sum(outcome.problem == kind for outcome in harmful) for kind in ("crash", "hang", "exception")},
        "p99_s": durations_s[int(0.99 * (len(durations_s) - 1))],
        "max_s": slowest.duration_s,
        "peak_mb": max(outcome.peak_mb for outcome in outcomes),
        "growth_mb": find_growth_mb(outcomes),
    }
    reasons = Counter(_summarise(outcome.reason) or "usable" for outcome in outcomes if not outcome.problem)
    for reason, n_files in reasons.most_common():
        print(f"{n_files:7} {reason}")
    print(f"slowest: {slowest.number}, {' → '.join(mutate(slowest.number, arguments.seed).recipe)}")
    print(json.dumps(figures | {"python": sys.version.split()[0]}))
    too_much = figures["peak_mb"] > PEAK_MB or figures["growth_mb"] > GROWTH_MB
    if too_much:
        print(f"memory: more than {PEAK_MB:g} MB at once, or growth of more than {GROWTH_MB:g} MB")
    return 1 if harmful or too_much else 0


if __name__ == "__main__":
    sys.exit(main())
