"""`python -m experiments.equal_time PLAN FOLDER…`: variants of a training at equal CPU time; see README.md."""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from experiments.equal_time.budget import Trained, train_for
from experiments.equal_time.plan import read_plan
from experiments.equal_time.table import EMBEDDING, draw_table
from sda.durable import write_json, write_text
from sda.report.evaluation_values import VALUES
from sda.runs.folder import read_summary
from sda.runs.outputs import find_evaluation

RESULTS, TABLE = "results.json", "table.md"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m experiments.equal_time", description=__doc__)
    parser.add_argument("plan", type=Path, help="what is compared: the plan.yaml of an experiment")
    parser.add_argument("data", type=Path, nargs="+", help="folders of sound")
    parser.add_argument("--runs", type=Path, default=Path("runs/equal_time"), help="where the runs go")
    arguments = parser.parse_args()
    plan = read_plan(arguments.plan)
    folder = arguments.plan.parent
    results: list[dict[str, Any]] = []
    if (folder / RESULTS).exists():
        results = json.loads((folder / RESULTS).read_text())
    known = {(result["data"], result["variant"], result["seed"]) for result in results}
    for data in arguments.data:
        for seed in plan.seeds:
            for name, overrides in plan.variants.items():
                key = (data.name, name, seed)
                if key in known:
                    continue
                print(f"{data.name}, {name}, seed {seed}", file=sys.stderr, flush=True)
                run_dir = (arguments.runs / folder.name / "-".join(map(str, key)).replace(" ", "_")).absolute()
                told = [*plan.common, *overrides, f"seed={seed}"]
                trained = train_for(60 * plan.cpu_minutes, data.expanduser().absolute(), run_dir, told)
                results.append({"data": data.name, "variant": name, "seed": seed, **list_result(trained)})
                write_json(folder / RESULTS, results)  # kept at once: the next may take long, and is skipped if done
                write_text(folder / TABLE, "\n".join(draw_table(results)) + "\n")
    print("\n".join(draw_table(results)))


def list_result(trained: Trained) -> dict[str, Any]:
    """What is kept of a run: its cost, and what its evaluation found on held-out sound."""
    folder = find_evaluation(trained.run_dir)
    assert folder is not None, f"{trained.run_dir} has no evaluation"
    values = json.loads((folder / VALUES).read_text())
    held_out = values["reconstruction"]["held_out"]
    return {
        "cpu_s": round(trained.cpu_s, 1),
        "n_epochs": trained.n_epochs,
        "n_steps": trained.n_steps,
        "n_parameters": trained.n_parameters,
        "best_epoch": values["epoch"],
        "gap": read_summary(trained.run_dir)["overfitting_gap"],
        "held_out": {
            source: {name: _round(value) for name, value in measures.items() if not name.endswith("_interval")}
            for source, measures in held_out.items()
        },
        "mmd_ratio": _round(values["distribution"].get(EMBEDDING, {}).get("ratio")),
        "replay_rate": values["memorisation"]["replay_rate"],
        "replay_threshold": values["memorisation"]["threshold"],
        "verdict": values["verdict"]["label"],
    }


def _round(value: float | None) -> float | None:
    return None if value is None else round(value, 5)


if __name__ == "__main__":
    main()
