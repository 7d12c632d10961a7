"""`python -m experiments.gpu`: what a step costs on this device, where its time goes, and how fast sound is drawn."""

import argparse
import json
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import torch

from experiments.bench import draw
from experiments.bench.__main__ import describe_figure, describe_machine, print_section
from experiments.bench.trial import Trial
from experiments.gpu.cost import HEAD, Arrangement, Cost, list_kernels, measure_cost
from sda.training.device import choose_device

SIZES = ("tiny", "small", "base")
BATCHES = (8, 32, 128, 512)
COMPILED_BATCH = 32
"""Of what is compiled, which takes tens of seconds each."""
ENOUGH = 0.9
"""The batch that is advised is the smallest that learns from this much of the sound a second that the best does."""
N_KERNELS = 15


def main() -> None:
    """Parse the command line and measure what there is time for."""
    options = _parse_arguments()
    device = choose_device(options.device)
    deadline = time.monotonic() + 60 * options.minutes
    machine = describe_machine(device)
    print("  ".join(f"{name} {value}" for name, value in machine.items()))
    costs, left_out = measure_all(device, deadline, quick=options.quick)
    advice = advise(costs)
    print("\n" + "\n".join(advice))
    best = max(costs, key=lambda cost: cost.sound_per_s).arrangement
    kernels = list_kernels(best.build(device), device)
    print(f"\nwhere the time goes: {' '.join(best.title.split())}, ms a step")
    for name, seconds in list(kernels.items())[:N_KERNELS]:
        print(f"{1000 * seconds:>10.3f}  {name[:120]}")
    report = {"machine": machine, "costs": [cost.describe() for cost in costs], "left_out": left_out}
    report |= {"advice": advice, "kernels_s": kernels, "drawing": measure_drawing(device, quick=options.quick)}
    options.output.write_text(json.dumps(report, indent=2) + "\n")
    print(f"written to {options.output}")


def list_arrangements(device: torch.device, *, quick: bool = False) -> Iterator[Arrangement]:
    """What is measured, what says most first."""
    if quick:
        yield Arrangement("tiny", 1, "float32", compiled=False)
        return
    precisions = ("bfloat16", "float32")
    for size in SIZES:
        for batch_size in BATCHES:
            for precision in precisions:
                yield Arrangement(size, batch_size, precision, compiled=False)
        if device.type == "cuda":
            yield Arrangement(size, COMPILED_BATCH, precisions[0], compiled=True)
    if device.type == "cuda":
        for size in SIZES:
            for batch_size in BATCHES:
                if batch_size != COMPILED_BATCH:
                    yield Arrangement(size, batch_size, precisions[0], compiled=True)


def measure_all(device: torch.device, deadline: float, *, quick: bool) -> tuple[list[Cost], dict[str, str]]:
    """What each arrangement costs, printed as it is found; and, by arrangement, why one was left out."""
    costs: list[Cost] = []
    left_out: dict[str, str] = {}
    print(f"\n{HEAD}")
    for arrangement in list_arrangements(device, quick=quick):
        title = " ".join(arrangement.title.split())
        if costs and time.monotonic() > deadline:
            left_out[title] = "no time"
            continue
        try:
            costs.append(measure_cost(arrangement, device, quick=quick))
            print(costs[-1], flush=True)
        except torch.OutOfMemoryError:
            left_out[title] = "no memory"
            print(f"{arrangement.title} no memory", flush=True)
    if left_out:
        print(f"left out: {', '.join(f'{title} ({why})' for title, why in left_out.items())}")
    return costs, left_out


def advise(costs: list[Cost]) -> list[str]:
    """For each size, the smallest batch that is nearly as fast as the fastest."""
    lines = []
    for size in dict.fromkeys(cost.arrangement.size for cost in costs):
        here = [cost for cost in costs if cost.arrangement.size == size]
        best = max(cost.sound_per_s for cost in here)
        enough = min(
            (cost for cost in here if cost.sound_per_s >= ENOUGH * best), key=lambda cost: cost.arrangement.batch_size
        )
        lines.append(
            f"{' '.join(enough.arrangement.title.split())}: {enough.sound_per_s:.0f} s of sound a second, "
            f"{enough.sound_per_s / best:.0%} of the most that {size} did"
        )
    return lines


def measure_drawing(device: torch.device, *, quick: bool) -> list[dict[str, object]]:
    """The section `draw` of the bench, on this device."""
    with tempfile.TemporaryDirectory(prefix="sda-gpu-", ignore_cleanup_errors=True) as folder:
        started = time.perf_counter()
        figures = draw.measure(Trial(Path(folder), "", quick, device))
        print_section("draw", figures, time.perf_counter() - started)
    return [describe_figure(figure) for figure in figures]


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m experiments.gpu", description=__doc__)
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:N or mps")
    parser.add_argument("--minutes", type=float, default=5.0, help="after these, no other arrangement is begun")
    parser.add_argument("--output", type=Path, default=Path("gpu.json"), help="where the JSON goes")
    parser.add_argument("--quick", action="store_true", help="half a minute to see that it runs; figures mean nothing")
    return parser.parse_args()


if __name__ == "__main__":
    main()
