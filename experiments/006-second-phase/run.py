"""What is the second phase worth on a GPU? Both ways with equally many steps, side by side; see README.md.

Usage: python experiments/006-second-phase/run.py FOLDER… [--seconds 150] [--size base] [--runs runs/second_phase]

The trainings of all folders and both ways run at the same time, for as many steps as one without a second phase takes
in the seconds given.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from experiments.equal_time.budget import Cost, fit
from sda.config.arguments import quote_value
from sda.durable import write_json
from sda.tracking.journal import JOURNAL, read_journal

HERE = Path(__file__).parent
PROJECT = HERE.parents[1]
VARIANTS = {"one phase": "never", "two phases": "always"}
TRIED_S = 15.0
"""Of training, to learn what a step costs beside all the others."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, nargs="+", help="folders of sound")
    parser.add_argument("--seconds", type=float, default=150.0, help="of training without a second phase")
    parser.add_argument("--size", default="base", help="model.size")
    parser.add_argument("--runs", type=Path, default=Path("runs/second_phase"), help="where runs go")
    parser.add_argument("--output", type=Path, default=HERE / "results.json")
    arguments, overrides = parser.parse_known_args()
    runs = arguments.runs.absolute()
    told = [f"model.size={arguments.size}", "tracking=none", "preview.n_variations=0", *overrides]
    costs = try_all(arguments.data, runs, told)
    started: dict[tuple[Path, str], subprocess.Popen[bytes]] = {}
    for data in arguments.data:
        n_epochs, n_visits = fit(costs[data], arguments.seconds)
        print(f"{data.name}: {n_epochs} epochs of {n_visits} visits, {1 / costs[data].step_s:.1f} steps/s", flush=True)
        length = [f"training.max_epochs={n_epochs}", f"regularization.augmentation_expansion={n_visits - 1}"]
        for name, adversarial in VARIANTS.items():
            variant = [*told, *length, f"model.adversarial={adversarial}", "training.early_stopping=false"]
            started[data, name] = start(data, runs / f"{data.name}-{adversarial}", variant)
    results = []
    for (data, name), process in started.items():
        process.wait()
        results.append({"data": data.name, "variant": name, **describe(runs / f"{data.name}-{VARIANTS[name]}")})
        write_json(arguments.output, results)
    print(json.dumps(results, indent=1))


def try_all(folders: list[Path], runs: Path, told: list[str]) -> dict[Path, Cost]:
    """What a step costs while every training runs."""
    tried = {(data, name): runs / f"{data.name}-{name}-trial" for data in folders for name in ("a", "b")}
    processes = [start(data, run_dir, [*told, "model.adversarial=never"]) for (data, _), run_dir in tried.items()]
    while not all(_list_steps(run_dir) for run_dir in tried.values()):
        if any(process.poll() is not None for process in processes):
            raise RuntimeError(f"a training ended before its first step; see {runs}/*.log")
        time.sleep(0.2)
    before = {run_dir: _list_steps(run_dir)[-1] for run_dir in tried.values()}
    time.sleep(TRIED_S)
    costs = {}
    for (data, _), run_dir in tried.items():
        last = _list_steps(run_dir)[-1]
        step_s = (last["time"] - before[run_dir]["time"]) / max(1, last["step"] - before[run_dir]["step"])
        events = read_journal(run_dir / JOURNAL)
        steps_per_epoch = next(event["steps_per_epoch"] for event in events if event["event"] == "RunStarted")
        config = OmegaConf.load(run_dir / ".hydra" / "config.yaml")
        costs[data] = Cost(step_s, config.regularization.augmentation_expansion + 1, steps_per_epoch)
    for process in processes:
        process.kill()
        process.wait()
    for run_dir in tried.values():
        shutil.rmtree(run_dir)
    return costs


def start(data: Path, run_dir: Path, told: list[str]) -> "subprocess.Popen[bytes]":
    run_dir.parent.mkdir(parents=True, exist_ok=True)
    given = {"data.root": data.absolute(), "hydra.run.dir": run_dir}
    arguments = [f"{key}={quote_value(str(path))}" for key, path in given.items()]
    with open(run_dir.with_suffix(".log"), "w", encoding="utf-8") as log:
        command = [sys.executable, str(PROJECT / "train.py"), *arguments, *told]
        return subprocess.Popen(
            command, stdout=log, stderr=subprocess.STDOUT, env={**os.environ, "OMP_NUM_THREADS": "2"}
        )


def describe(run_dir: Path) -> dict[str, Any]:
    """What is kept of a run: its cost, and what its evaluation found."""
    path = run_dir / "evaluation" / "evaluation.json"
    if not path.exists():
        return {"failed": run_dir.with_suffix(".log").read_text(encoding="utf-8")[-800:]}
    values = json.loads(path.read_text(encoding="utf-8"))
    events = list(read_journal(run_dir / JOURNAL))
    (started, *_) = (event for event in events if event["event"] == "RunStarted")
    steps = [event for event in events if event["event"] == "StepMetrics"]
    switch = next((event["step"] for event in events if event["event"] == "SecondPhaseStarted"), None)
    epochs = [event for event in events if event["event"] == "EpochMetrics"]
    return {
        "device": started["device"],
        "precision": started["precision"],
        "n_parameters": started["n_parameters"],
        "n_steps": steps[-1]["step"],
        "second_phase_at": switch,
        "steps_per_s": _rate([step for step in steps if switch is None or step["step"] <= switch]),
        "steps_per_s_second_phase": _rate([step for step in steps if switch is not None and step["step"] > switch]),
        "training_s": epochs[-1]["elapsed_seconds"],
        "best_epoch": values["epoch"],
        "n_epochs": epochs[-1]["epoch"],
        "held_out": {
            source: {name: value for name, value in measures.items() if not name.endswith("_interval")}
            for source, measures in values["reconstruction"]["held_out"].items()
        },
        "distribution": {name: one.get("ratio") for name, one in values["distribution"].items()},
        "replay_rate": values["memorisation"]["replay_rate"],
        "label": values["verdict"]["label"],
        "val_loss": [round(epoch["val_loss"], 4) for epoch in epochs],
        "disguise_strength": [epoch["disguise_strength"] for epoch in epochs],
        "discriminator_overfitting": [epoch["discriminator_overfitting"] for epoch in epochs],
    }


def _list_steps(run_dir: Path) -> list[dict[str, Any]]:
    path = run_dir / JOURNAL
    return [event for event in read_journal(path) if event["event"] == "StepMetrics"] if path.exists() else []


def _rate(steps: list[dict[str, Any]]) -> float | None:
    if len(steps) < 20:
        return None
    return round((len(steps) - 1) / (steps[-1]["time"] - steps[0]["time"]), 2)


if __name__ == "__main__":
    main()
