"""`make torture N=…`: kill trainings at random and at chosen moments, continue them, and compare bit by bit."""

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from experiments.bench.sounds import write_folder
from experiments.torture.trial import Verdict, prepare, run_trial

N_FILES = 6
FILE_S = 1.5


def main() -> None:
    """Parse the command line, run the trials, and say what came of them."""
    options = _parse_arguments()
    folder = Path(tempfile.mkdtemp(prefix="sda-torture-"))
    os.environ |= {"SDA_CACHE_DIR": str(folder / "cache"), "OMP_NUM_THREADS": "1", "COLUMNS": "200"}
    began = time.perf_counter()
    sounds = write_folder(folder / "sounds", N_FILES, FILE_S)[0].parent
    bench = prepare(folder, sounds, _make_database(folder))
    print(f"untouched run: {dict(bench.counts)} calls at which a run may die", flush=True)
    numbers = [options.only] if options.only is not None else range(options.n)
    verdicts: list[Verdict] = []
    with ThreadPoolExecutor(options.workers) as pool:
        for verdict in pool.map(lambda number: run_trial(bench, number, options.seed), numbers):
            verdicts.append(verdict)
            _print_trial(verdict, options.verbose)
    _print_summary(verdicts, time.perf_counter() - began)
    if options.output:
        Path(options.output).write_text(json.dumps([vars(verdict) for verdict in verdicts], indent=1) + "\n")
    if not all(verdict.survived for verdict in verdicts):
        sys.exit(f"what is left of the trials that did not survive lies in {folder}")
    shutil.rmtree(folder)


def _print_trial(verdict: Verdict, verbose: bool) -> None:
    if verbose or not verdict.survived:
        print(f"trial {verdict.number}: {'; '.join(verdict.accidents)}", flush=True)
    for problem in (*verdict.differences, *verdict.lost_lines, *verdict.false_statuses):
        print(f"  {problem}", flush=True)


def _print_summary(verdicts: list[Verdict], seconds: float) -> None:
    accidents = Counter(_name_kind(accident) for verdict in verdicts for accident in verdict.accidents if accident)
    print(f"{len(verdicts)} trials in {seconds / 60:.1f} min, {sum(accidents.values())} accidents: {dict(accidents)}")
    print(
        f"  {sum(not verdict.differences for verdict in verdicts)} continued runs equal the untouched one bit for bit"
    )
    print(f"  {sum(bool(verdict.lost_lines) for verdict in verdicts)} with a line of the journal lost")
    print(f"  {sum(bool(verdict.false_statuses) for verdict in verdicts)} with a false status")
    print(f"  {sum(one.n_from_nothing for one in verdicts)} times nothing was saved yet: continued from its start")
    print(f"  {sum(one.n_unbegun for one in verdicts)} times its configuration was not on disk yet: given again")
    n_survived = sum(verdict.survived for verdict in verdicts)
    print(f"{n_survived} of {len(verdicts)} survived")


def _name_kind(accident: str) -> str:
    """An accident without its numbers."""
    if "damage" in accident or accident == "full disk":
        return accident.partition(",")[0]
    place = accident.partition(",")[0].partition(" ")[0]
    return "spoilt file" if place.endswith(":") else place


def _make_database(folder: Path) -> Path:
    """An MLflow store to be copied, which takes seconds to make."""
    from sda.tracking.store import create_store

    database = folder / "empty.db"
    create_store(database)
    return database


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m experiments.torture", description=__doc__)
    parser.add_argument("--n", type=int, default=200, help="trials")
    parser.add_argument("--seed", type=int, default=0, help="decides what happens in every trial")
    parser.add_argument("--only", type=int, default=None, help="the number of one trial, to see it again")
    parser.add_argument("--workers", type=int, default=os.cpu_count(), help="trials at a time")
    parser.add_argument("--output", default="", help="where the verdicts go as JSON")
    parser.add_argument("--verbose", action="store_true", help="say of every trial what happened in it")
    return parser.parse_args()


if __name__ == "__main__":
    main()
