import json
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from experiments.bench import __main__ as bench
from experiments.bench.commands import run_verb
from experiments.bench.trial import Trial

PROJECT = Path(__file__).parents[2]
TOGETHER = (
    ("read", "step", "plain", "events"),
    ("start", "scale", "growth"),
    ("length", "draw", "search", "sweep"),
)
"""Sections that are measured by one command: those that train in it share what took long to make."""
MAY_BE_NEGATIVE = ("beyond", "noise", "exponent")
"""A difference of two memories, or times, may be nothing, or less, where the sounds are as tiny as here."""


@pytest.mark.slow
@pytest.mark.parametrize("sections", TOGETHER, ids="-".join)
def test_every_section_measures_something(tmp_path: Path, sections: tuple[str, ...]):
    output = tmp_path / "bench.json"
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "experiments.bench",
            "--quick",
            "--device=cpu",
            f"--only={','.join(sections)}",
            f"--output={output}",
        ],
        cwd=PROJECT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads(output.read_text())
    assert tuple(report["sections"]) == sections
    for figures in report["sections"].values():
        assert figures
        for figure in figures:
            assert math.isfinite(figure["ratio"]), figure
            assert figure["ratio"] > 0 or any(word in figure["what"] for word in MAY_BE_NEGATIVE), figure
            assert figure["what"] in done.stdout


def test_what_is_measured_is_all_there_is():
    assert sorted(bench.SECTIONS) == sorted(section for sections in TOGETHER for section in sections)


def test_an_unknown_section_is_named(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["bench", "--only=sped"])
    with pytest.raises(SystemExit, match="--only=sped is unknown: use read, step"):
        bench.main()


def test_what_the_bench_holds_itself_is_no_memory_of_a_command(tmp_path: Path):
    held = bytearray(400 * 2**20)
    held[:: 2**12] = b"x" * len(held[:: 2**12])
    peak = run_verb(Trial(tmp_path, tmp_path, quick=True, device=torch.device("cpu")), "train", "--help")
    assert 5 * 2**20 < peak < 200 * 2**20
    with pytest.raises(RuntimeError, match="there is no such folder"):
        run_verb(Trial(tmp_path, tmp_path, quick=True, device=torch.device("cpu")), "scan", "data.root=nowhere")
