"""What it costs a step to be written down: journal, MLflow and console, as the training thread feels them."""

import threading
import time
from dataclasses import dataclass, field
from statistics import median

from experiments.bench.live import Block, LiveRun, Steps, start_run
from experiments.bench.timing import quantile
from experiments.bench.trial import Figure, Trial

N_STEPS = 10
N_ROUNDS = 4
BLOCK_S = 8.0
"""Steps without listeners are timed for about as long as it is from one delivery to the next."""
DELIVERY_THREAD = "mlflow-delivery"


@dataclass
class _Steps:
    """Blocks with and without listeners."""

    told: list[Block] = field(default_factory=list)
    untold: list[Block] = field(default_factory=list)
    delivery_s: float = 0.0
    """Processor time of MLflow's thread during the told blocks."""


def measure(trial: Trial) -> list[Figure]:
    """Time in the listeners, and step times with and without them."""
    with start_run(trial, "events") as live:
        steps = live.follow(_compare(live, trial))
    told, untold = ([s for block in blocks for s in block.step_s] for blocks in (steps.told, steps.untold))
    in_listeners = [seconds for block in steps.told for seconds in block.told_s]
    ratios = [median(a.step_s) / median(b.step_s) for a, b in zip(steps.told, steps.untold, strict=True)]
    counted = f"{len(told)} steps with, {len(untold)} without"
    figures = [
        Figure(
            "time in journal, MLflow and console / step",
            sum(in_listeners) / sum(told),
            at_most=0.01,
            detail=f"{1e6 * median(in_listeners):.0f} us, 95 % under {1e6 * quantile(in_listeners, 0.95):.0f} us",
        ),
        Figure("step time, median: tracked / untracked", median(ratios), detail=counted),
        Figure("step time, 95th percentile: tracked / untracked", quantile(told, 0.95) / quantile(untold, 0.95)),
    ]
    if steps.delivery_s:
        wall_s = sum(block.seconds for block in steps.told)
        figures.append(Figure("processor time of MLflow's thread / time of the steps", steps.delivery_s / wall_s))
    return figures


def _compare(live: LiveRun, trial: Trial) -> Steps[_Steps]:
    steps, n_steps, block_s = _Steps(), trial.pick(N_STEPS, 2), trial.pick(BLOCK_S, 0.1)
    n_deliveries = trial.pick(1, 0)
    yield from live.take(2)
    live.settle()
    for _ in range(trial.pick(N_ROUNDS, 2)):
        yield from live.take(1, n_deliveries=n_deliveries)
        before_s = _read_delivery_clock()
        steps.told.append((yield from live.take(n_steps, n_deliveries=n_deliveries)))
        steps.delivery_s += _read_delivery_clock() - before_s
        live.settle()
        live.listening = False
        yield from live.take(1)
        steps.untold.append((yield from live.take(n_steps, block_s)))
        live.listening = True
    return steps


def _read_delivery_clock() -> float:
    """Processor time of MLflow's thread so far; 0 where the system does not tell."""
    if not hasattr(time, "pthread_getcpuclockid"):
        return 0.0
    thread = next(thread for thread in threading.enumerate() if thread.name == DELIVERY_THREAD)
    assert thread.ident is not None, "it was started with the run"
    return time.clock_gettime(time.pthread_getcpuclockid(thread.ident))
