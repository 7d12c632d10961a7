"""Damaged files cost nothing but themselves; the processes that look at them are not this one."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from experiments.fuzz.mutations import make_seeds, mutate
from experiments.fuzz.run import Outcome, find_growth_mb, fuzz
from sda.data.scan import scan_file

PROJECT = Path(__file__).parents[2]
N_FILES = 300


def test_nothing_worse_than_a_reason_comes_of_damaged_files(tmp_path):
    command = [sys.executable, "-m", "experiments.fuzz.run", "--n", str(N_FILES), "--keep", str(tmp_path / "harmful")]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f'"n_files": {N_FILES}' in done.stdout
    assert not (tmp_path / "harmful").exists()


def test_the_damaged_files_are_the_same_every_time():
    first = [mutate(number) for number in range(N_FILES)]
    make_seeds.cache_clear()
    assert [mutate(number) for number in range(N_FILES)] == first
    assert [mutate(number, seed=1) for number in range(N_FILES)] != first
    assert len({mutant.data for mutant in first}) > 0.9 * N_FILES


def test_what_is_damaged_was_sound_before(tmp_path):
    ours = ("wav", "wavex", "rf64", "w64", "aiff", "flac", "ogg", "mp3")
    for name, data in make_seeds().items():
        (tmp_path / name).write_bytes(data)
        reason = scan_file(tmp_path / name)[0].reason
        foreign = name.split("-")[0] not in ours
        assert ("not a supported format" in reason) if foreign else (reason == ""), name


def crash(path, cache_dir):
    os.kill(os.getpid(), signal.SIGSEGV)


def hang(path, cache_dir):
    time.sleep(600)


def fail(path, cache_dir):
    raise ValueError("escaped")


@pytest.mark.parametrize(
    ("look", "problem", "words", "hang_s"),
    [
        (crash, "crash", "SIGSEGV", 60.0),
        (hang, "hang", "in hang", 3.0),
        (fail, "exception", "ValueError: escaped", 60.0),
    ],
)
def test_harm_is_noticed_and_told_of_its_file(look, problem, words, hang_s):
    outcomes = fuzz(range(2), n_workers=1, look=look, hang_s=hang_s)
    assert [outcome.number for outcome in outcomes] == [0, 1]
    for outcome in outcomes:
        assert outcome.problem == problem
        assert words in outcome.details


def test_a_leak_is_growth_and_a_first_use_is_not():
    assert find_growth_mb([Outcome(n, memory_mb=100 + 0.5 * n) for n in range(200)]) == pytest.approx(60, abs=1)
    assert find_growth_mb([Outcome(n, memory_mb=100 + 60 * (n > 20)) for n in range(200)]) == 0
