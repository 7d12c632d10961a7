"""Does a training feel it when its MLflow server dies? `python -m experiments.torture.server`, some minutes.

The same training runs with the server always there and with it killed after a third and started again after two thirds
of the steps, in turns. Step by step it is timed by the journal, listeners included, pauses between epochs left out.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from statistics import median

from experiments.bench.sounds import write_folder
from experiments.bench.timing import quantile
from experiments.bench.trial import PROJECT, TINY
from experiments.torture.servers import MlflowServer
from sda.config.arguments import quote_value
from sda.tracking.delivery_state import is_delivered, read_state
from sda.tracking.journal import JOURNAL, read_journal
from sda.tracking.metric_names import name_metric
from sda.tracking.store import connect

N_STEPS_SKIPPED = 100
"""Steps at the start while mlflow is imported, in both runs."""
FRACTIONS = (1 / 3, 2 / 3)


def main() -> None:
    """Time both, in turns, and compare."""
    options = _parse_arguments()
    with tempfile.TemporaryDirectory(prefix="sda-server-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        os.environ["SDA_CACHE_DIR"] = str(folder / "cache")
        sounds = write_folder(folder / "sounds", 6, 1.5)[0].parent
        server = MlflowServer(f"sqlite:///{folder / 'server.db'}", folder / "artifacts")
        server.start()
        try:
            for number in range(options.rounds):
                for disturbed in (False, True):
                    run_dir = folder / "runs" / f"{number}_{'disturbed' if disturbed else 'undisturbed'}"
                    _train(sounds, run_dir, server, options.epochs, disturbed=disturbed)
                    _print_steps(run_dir)
                    _print_delivery(run_dir, server)
        finally:
            server.kill()


def _train(sounds: Path, run_dir: Path, server: MlflowServer, n_epochs: int, *, disturbed: bool) -> None:
    given = {"data.root": sounds, "hydra.run.dir": run_dir}
    arguments = [f"{key}={quote_value(str(path))}" for key, path in given.items()]
    arguments += [f"tracking.uri={server.uri}", f"training.max_epochs={n_epochs}", "training.preview_interval=1000"]
    run_dir.parent.mkdir(exist_ok=True)
    process = subprocess.Popen(
        [sys.executable, str(PROJECT / "train.py"), *arguments, *TINY],
        cwd=run_dir.parent.parent,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL,
    )
    marks = [(FRACTIONS[0], server.kill), (FRACTIONS[1], server.start)] if disturbed else []
    for share, act in marks:
        while process.poll() is None and _count_share(run_dir) < share:
            time.sleep(0.2)
        act()
    if process.wait(1200) != 0:
        raise RuntimeError(f"{run_dir} ended with {process.returncode}")


def _count_share(run_dir: Path) -> float:
    """Share of the steps that were taken."""
    if not (run_dir / JOURNAL).exists():
        return 0.0
    steps = [event for event in read_journal(run_dir / JOURNAL) if event["event"] == "StepMetrics"]
    return steps[-1]["step"] / steps[-1]["total_steps"] if steps else 0.0


def _print_steps(run_dir: Path) -> None:
    steps = [event for event in read_journal(run_dir / JOURNAL) if event["event"] == "StepMetrics"]
    gaps = [b["time"] - a["time"] for a, b in pairwise(steps[N_STEPS_SKIPPED:]) if a["epoch"] == b["epoch"]]
    figures = {
        "median": median(gaps),
        "95 %": quantile(gaps, 0.95),
        "99.9 %": quantile(gaps, 0.999),
        "slowest": max(gaps),
    }
    told = "  ".join(f"{name} {1e3 * seconds:.1f}" for name, seconds in figures.items())
    print(f"{run_dir.name}: {len(gaps)} steps, ms: {told}", flush=True)


def _print_delivery(run_dir: Path, server: MlflowServer) -> None:
    """Whether MLflow has exactly the journal."""
    client, state = connect(server.uri), read_state(run_dir)
    told = [event for event in read_journal(run_dir / JOURNAL) if event["event"] == "StepMetrics"]
    for name in ("train_loss", "kl_loss", "gradient_norm"):
        key = name_metric("step", name, state.naming)
        stored = [(point.step, point.value) for point in client.get_metric_history(state.run_id, key)]
        if stored != [(event["step"], event[name]) for event in told]:
            print(f"  MLflow has {len(stored)} points of {name}, the journal {len(told)}")
            return
    print(f"  MLflow has the journal's {len(told)} steps, {'all' if is_delivered(run_dir) else 'not all'} is delivered")


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m experiments.torture.server", description=__doc__)
    parser.add_argument("--rounds", type=int, default=2, help="trainings of either kind")
    parser.add_argument("--epochs", type=int, default=60, help="epochs of each")
    return parser.parse_args()


if __name__ == "__main__":
    main()
