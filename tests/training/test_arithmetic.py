"""In which arithmetic a run computes, and how long a step takes in either."""

import pytest
import torch

from sda.app.pace import measure_step
from sda.config.schema import TrainRunConfig
from sda.training.arithmetic import settle_precision
from sda.training.config import Precision, TrainingConfig

CPU = torch.device("cpu")


@pytest.mark.parametrize("kind", ["cpu", "mps"])
def test_auto_is_exact_where_there_is_no_gpu_for_more_whatever_the_processor_can(kind):
    assert settle_precision(Precision.auto, torch.device(kind)) is Precision.float32


@pytest.mark.parametrize(
    ("capability", "expected"),
    [((7, 5), Precision.float32), ((8, 0), Precision.bfloat16), ((9, 0), Precision.bfloat16)],
)
def test_auto_goes_by_what_a_gpu_is_and_not_by_how_long_a_step_takes(monkeypatch, capability, expected):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    assert settle_precision(Precision.auto, torch.device("cuda", 0)) is expected


@pytest.mark.parametrize("asked", [Precision.float32, Precision.bfloat16])
def test_what_was_asked_for_is_taken(asked):
    assert settle_precision(asked, CPU) is asked


def test_a_step_is_timed_in_either_arithmetic_and_leaves_no_trace():
    config = TrainRunConfig(training=TrainingConfig(batch_size=2, chunk_duration_s=0.25))
    before = torch.get_rng_state()
    assert measure_step(config, CPU, None) > 0
    assert measure_step(config, CPU, torch.bfloat16) > 0
    assert torch.equal(before, torch.get_rng_state())
