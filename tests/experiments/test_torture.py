"""A short, seeded part of the torture; and that it would notice a run that is not what it should be."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file

from experiments.torture.compare import find_differences, find_faults
from sda.tracking.journal import JOURNAL, Journal, encode_line, read_journal
from sda.training.checkpoint import TENSORS
from sda.training.checkpoint_writer import CheckpointWriter, draft_checkpoint
from tests.training.conftest import make_miniature  # noqa: F401 (a fixture)
from tests.training.test_checkpoint import reseal_manifest

PROJECT = Path(__file__).parents[2]
N_TRIALS = 3


@pytest.mark.slow
def test_runs_that_are_killed_and_continued_are_the_run_that_was_never_touched(tmp_path):
    output = tmp_path / "verdicts.json"
    done = subprocess.run(
        [sys.executable, "-m", "experiments.torture", f"--n={N_TRIALS}", "--workers=1", f"--output={output}"],
        cwd=PROJECT,
        env={**os.environ, "OMP_NUM_THREADS": "1", "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{N_TRIALS} of {N_TRIALS} survived" in done.stdout
    verdicts = json.loads(output.read_text())
    assert all(verdict["accidents"] for verdict in verdicts)


@pytest.mark.slow
def test_a_sweep_that_is_killed_and_resumed_at_once_has_one_finished_run_a_job(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "experiments.torture.sweep", "--n=1", "--jobs=3"],
        cwd=PROJECT,
        env={**os.environ, "OMP_NUM_THREADS": "1", "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 of 1 have one finished run a job" in done.stdout


@pytest.fixture
def two_runs(make_miniature, tmp_path):  # noqa: F811
    """Two folders of the same finished run."""
    run = make_miniature(max_epochs=1)
    untouched = tmp_path / "untouched"
    (untouched / "previews").mkdir(parents=True)
    (untouched / "previews" / "sample.wav").write_bytes(b"sound")
    (untouched / "summary.json").write_text('{"status": "finished"}')
    run.run()
    journal = Journal(untouched)
    for event in run.events:
        journal(event)
    journal.close()
    writer = CheckpointWriter(untouched / "checkpoints", 3)
    for best in (False, True):
        writer.write(draft_checkpoint(run.state, {}, {}, best=best))
    shutil.copytree(untouched, tmp_path / "run")
    return tmp_path / "run", untouched


def test_the_same_run_has_no_differences(two_runs):
    assert list(find_differences(*two_runs, n_epochs=1)) == []
    assert list(find_faults(*two_runs)) == []


def test_every_kind_of_difference_is_noticed(two_runs):
    run_dir, untouched = two_runs
    (run_dir / "previews" / "sample.wav").write_bytes(b"Sound")
    (run_dir / "summary.json").write_text('{"status": "stopped"}')
    (run_dir / "checkpoints" / ".epoch_0001.1f0c.tmp").mkdir()
    lines = list(read_journal(run_dir / JOURNAL))
    lines[3]["train_loss"] += 1e-9
    (run_dir / JOURNAL).write_bytes(b"".join(encode_line(line) for line in lines))
    found = "\n".join(find_differences(run_dir, untouched, n_epochs=1))
    for words in ("status stopped", "previews/sample.wav differs", "left behind: .epoch_0001", "journal: "):
        assert words in found
    assert "no beginning of the untouched one's" in "\n".join(find_faults(run_dir, untouched))


def test_a_tensor_that_differs_in_its_last_bit_is_noticed(two_runs):
    run_dir, untouched = two_runs
    folder = run_dir / "checkpoints" / "epoch_0001"
    tensors = load_file(folder / TENSORS)
    tensors["model/standardise.mean"].view(-1)[0] *= 1 + 2**-22
    save_file(tensors, folder / TENSORS)
    reseal_manifest(folder)
    assert "checkpoint epoch_0001: 1 tensors differ" in "\n".join(find_differences(run_dir, untouched, n_epochs=1))


def test_a_journal_with_a_gap_is_noticed(two_runs):
    run_dir, untouched = two_runs
    lines = (run_dir / JOURNAL).read_bytes().splitlines(keepends=True)
    (run_dir / JOURNAL).write_bytes(b"".join(lines[:2] + lines[3:]))
    assert "no beginning" in "\n".join(find_faults(run_dir, untouched))
