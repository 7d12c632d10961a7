"""A Slurm with one node starts, runs jobs, and leaves nothing behind."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from experiments.slurm.node import find_obstacle, run_slurm

PROJECT = Path(__file__).parents[2]
OBSTACLE = find_obstacle()

pytestmark = pytest.mark.slow
needs_slurm = pytest.mark.skipif(OBSTACLE is not None, reason=f"Slurm cannot run here: {OBSTACLE}")


@needs_slurm
def test_a_command_finds_slurm_and_its_exit_code_is_returned(tmp_path):
    script = "srun sh -c 'echo job $SLURM_JOB_ID in $SLURM_CONF'; exit 7"
    done = _run_beside_slurm(tmp_path, script)
    assert done.returncode == 7, done.stderr
    assert done.stdout == f"job 1 in {tmp_path / 'slurm' / 'slurm.conf'}\n"


@needs_slurm
def test_jobs_that_still_run_at_the_end_are_ended(tmp_path):
    told = tmp_path / "environment"
    job = f"env > {told}; setsid sleep 600 & sleep 600"
    done = _run_beside_slurm(
        tmp_path, f"sbatch --output=/dev/null --wrap '{job}'; until [ -s {told} ]; do sleep 0.1; done"
    )
    assert done.returncode == 0, done.stderr
    configuration = f"SLURM_CONF={tmp_path / 'slurm' / 'slurm.conf'}"
    assert configuration in told.read_text()
    assert not [path for path in Path("/proc").glob("[0-9]*/environ") if configuration.encode() in _read(path)]


@needs_slurm
def test_submitit_gets_the_results_of_its_jobs(tmp_path, monkeypatch):
    submitit = pytest.importorskip("submitit")
    with run_slurm(tmp_path / "slurm") as environment:
        monkeypatch.setenv("SLURM_CONF", environment["SLURM_CONF"])
        executor = submitit.AutoExecutor(tmp_path / "jobs", cluster="slurm")
        executor.update_parameters(timeout_min=5, cpus_per_task=1)
        jobs = executor.map_array(os.getenv, ["SLURM_ARRAY_TASK_ID"] * 2)
        assert [job.result() for job in jobs] == ["0", "1"]


def test_what_is_missing_is_named(monkeypatch):
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr("experiments.slurm.node.PROGRAMS", ("sh", "no-such-daemon"))
    obstacle = find_obstacle()
    assert obstacle is not None
    assert obstacle.startswith("not installed: no-such-daemon (")


def _run_beside_slurm(folder: Path, script: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "experiments.slurm", f"--folder={folder / 'slurm'}", "sh", "-c", script],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:  # the process has ended
        return b""
