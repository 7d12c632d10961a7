"""A machine shared out among a sweep's jobs."""

import os

import pytest

from sda.config.machine import (
    SPINS,
    VISIBLE,
    WAIT_POLICY,
    claim_gpu,
    count_cores,
    count_gpus,
    measure_machine,
    share_cores,
    wait_politely,
)


@pytest.mark.parametrize(
    ("machine", "expected"),
    [
        ((1, 0, 8.0), (1, 1)),
        ((4, 0, 32.0), (4, 1)),
        ((32, 0, 256.0), (16, 2)),
        ((32, 0, 3.0), (1, 2)),  # memory for one; its threads are those of any other
        ((32, 4, 256.0), (4, 8)),  # a job for each GPU
        ((2, 0, 0.5), (1, 1)),  # never none
    ],
)
def test_cores_memory_and_gpus_decide_how_many_run_at_once(machine, expected):
    assert share_cores(*machine) == expected


def test_gpus_are_those_that_the_process_may_see(monkeypatch):
    for visible, expected in (("0,1", 2), ("", 0), ("-1", 0), ("GPU-3f2a", 1)):
        monkeypatch.setenv(VISIBLE, visible)
        assert count_gpus() == expected
    monkeypatch.delenv(VISIBLE)
    monkeypatch.setenv("PATH", "/nowhere")  # no nvidia-smi
    assert count_gpus() == 0


def test_this_machine_has_cores_and_memory():
    n_cores, _, memory_gb = measure_machine()
    assert n_cores == count_cores() >= 1
    assert memory_gb > 0


def test_jobs_take_gpus_in_turn_and_share_them_when_there_are_more(tmp_path):
    with claim_gpu(tmp_path, 2) as first, claim_gpu(tmp_path, 2) as second, claim_gpu(tmp_path, 2) as third:
        assert (first, second, third) == (0, 1, 0)
    with claim_gpu(tmp_path, 2) as again:
        assert again == 0
    with claim_gpu(tmp_path, 0) as none:
        assert none is None


def test_threads_wait_politely_unless_it_is_said_otherwise(monkeypatch):
    for name in (SPINS, WAIT_POLICY):
        monkeypatch.delenv(name, raising=False)
    wait_politely()
    assert 0 < int(os.environ[SPINS]) < 100_000
    monkeypatch.setenv(SPINS, "5")
    wait_politely()
    assert os.environ[SPINS] == "5"
    monkeypatch.delenv(SPINS)
    monkeypatch.setenv(WAIT_POLICY, "active")
    wait_politely()
    assert SPINS not in os.environ
