"""`make bench`: run the sections, print one table, write JSON."""

import argparse
import contextlib
import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import torch

from experiments.bench.trial import Figure, Trial
from sda.training.device import choose_device

SECTIONS = ("read", "step", "plain", "events", "start", "scale", "growth", "length", "draw", "search", "sweep")


def main() -> None:
    """Parse the command line and measure what it asks for."""
    options = _parse_arguments()
    output = Path(options.output).absolute()
    given_data = str(Path(options.data).expanduser().absolute()) if options.data else ""
    with tempfile.TemporaryDirectory(prefix="sda-bench-", ignore_cleanup_errors=True) as folder:
        trial = Trial(
            Path(folder), given_data, options.quick, choose_device(options.device), options.file_s, options.rate_hz
        )
        machine = describe_machine(trial.device)
        print("  ".join(f"{name} {value}" for name, value in machine.items()))
        report: dict[str, Any] = {
            "date": time.strftime("%Y-%m-%dT%H:%M:%S"),
            "quick": options.quick,
            "machine": machine,
        }
        report["sections"] = {}
        with contextlib.chdir(folder):  # MLflow writes where it stands
            for section in options.only:
                started = time.perf_counter()
                measure: Callable[[Trial], list[Figure]] = import_module(f"experiments.bench.{section}").measure
                figures = measure(trial)
                print_section(section, figures, time.perf_counter() - started)
                report["sections"][section] = [describe_figure(figure) for figure in figures]
    output.write_text(json.dumps(report, indent=2) + "\n")
    print(f"written to {output}")


def describe_machine(device: torch.device) -> dict[str, str]:
    """What the figures were measured on."""
    return {
        "processor": _name_processor(),
        "threads": str(torch.get_num_threads()),
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else str(device),
        "torch": torch.__version__,
        "python": platform.python_version(),
    }


def describe_figure(figure: Figure) -> dict[str, Any]:
    """A figure for JSON."""
    return {
        "what": figure.what,
        "ratio": figure.ratio,
        "at_least": figure.at_least,
        "at_most": figure.at_most,
        "met": figure.met,
        "detail": figure.detail,
    }


def print_section(section: str, figures: list[Figure], seconds: float) -> None:
    """The figures of a section as rows of the table."""
    print(f"\n{f'{section} ({seconds:.0f} s)':<76} {'ratio':>9}  {'target':<8} met")
    for figure in figures:
        met = {None: "", True: "yes", False: "NO"}[figure.met]
        row = f"  {figure.what:<74} {figure.ratio:>9.3g}  {figure.target:<8} {met:<3}  {figure.detail}"
        print(row.rstrip(), flush=True)


def _name_processor() -> str:
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return f"{line.partition(':')[2].strip()}, {os.cpu_count()} cores"
    return f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores"


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m experiments.bench", description=__doc__)
    parser.add_argument("--only", default=",".join(SECTIONS), help="sections to run, such as read,step")
    parser.add_argument("--data", default="", help="folder with sounds for step, plain, events and start")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:N or mps")
    parser.add_argument("--output", default="bench.json", help="where the JSON goes")
    parser.add_argument("--file-s", type=float, default=0.0, help="length of the files of growth, such as 600")
    parser.add_argument(
        "--rate-hz",
        type=int,
        default=0,
        help="rate at which growth's files are heard, such as 8000",
    )
    parser.add_argument("--quick", action="store_true", help="to see that it runs; the figures mean nothing")
    options = parser.parse_args()
    options.only = options.only.split(",")
    unknown = [section for section in options.only if section not in SECTIONS]
    if unknown:
        sys.exit(f"error: --only={','.join(unknown)} is unknown: use {', '.join(SECTIONS)}")
    return options


if __name__ == "__main__":
    main()
