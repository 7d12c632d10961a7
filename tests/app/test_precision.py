"""Which arithmetic is chosen, with a stand-in for the clock."""

import pytest
import torch

from sda.app import precision
from sda.app.pace import measure_step
from sda.app.precision import RECORD, settle_precision
from sda.config.schema import TrainRunConfig
from sda.training.config import Precision, TrainingConfig

CPU = torch.device("cpu")


class Clock:
    """Says how long a step takes in either arithmetic, and counts how often it is asked."""

    def __init__(self, float32_s: float, bfloat16_s: float):
        self.seconds = {None: float32_s, torch.bfloat16: bfloat16_s}
        self.n_asked = 0

    def __call__(self, config, device, autocast):
        self.n_asked += 1
        return self.seconds[autocast]


@pytest.fixture
def config():
    return TrainRunConfig(training=TrainingConfig(batch_size=2, chunk_duration_s=0.25))


@pytest.fixture
def capable(monkeypatch):
    """A machine whose hardware multiplies bfloat16."""
    monkeypatch.setattr(precision, "supports_bfloat16", lambda device: True)


@pytest.mark.usefixtures("capable")
@pytest.mark.parametrize(
    ("clock", "expected"), [(Clock(1.0, 0.5), Precision.bfloat16), (Clock(0.5, 1.0), Precision.float32)]
)
def test_auto_takes_what_is_faster_and_measures_once(tmp_path, config, clock, expected):
    assert [settle_precision(config, CPU, tmp_path, clock) for _ in range(3)] == [expected] * 3
    assert clock.n_asked == 2
    config.training.batch_size = 4  # another step: measured anew
    settle_precision(config, CPU, tmp_path, clock)
    assert clock.n_asked == 4


@pytest.mark.usefixtures("capable")
def test_a_damaged_record_is_made_again(tmp_path, config):
    (tmp_path / RECORD).write_text("{not json")
    assert settle_precision(config, CPU, tmp_path, Clock(1.0, 0.5)) is Precision.bfloat16
    assert settle_precision(config, CPU, tmp_path, Clock(0.5, 1.0)) is Precision.bfloat16


@pytest.mark.usefixtures("capable")
def test_what_was_asked_for_is_not_measured(tmp_path, config):
    clock = Clock(1.0, 0.5)
    for asked in (Precision.float32, Precision.bfloat16):
        config.training.precision = asked
        assert settle_precision(config, CPU, tmp_path, clock) is asked
    assert clock.n_asked == 0


def test_hardware_without_bfloat16_is_not_asked(tmp_path, config, monkeypatch):
    monkeypatch.setattr(precision, "supports_bfloat16", lambda device: False)
    assert settle_precision(config, CPU, tmp_path, Clock(1.0, 0.5)) is Precision.float32
    assert not list(tmp_path.iterdir())


def test_a_step_is_timed_in_either_arithmetic_and_leaves_no_trace(config):
    before = torch.get_rng_state()
    assert measure_step(config, CPU, None) > 0
    assert measure_step(config, CPU, torch.bfloat16) > 0
    assert torch.equal(before, torch.get_rng_state())
