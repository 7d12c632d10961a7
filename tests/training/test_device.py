import pytest
import torch

from sda.errors import ConfigError
from sda.training.config import Precision
from sda.training.device import choose_autocast, choose_device


def test_auto_finds_a_device_that_computes():
    assert torch.ones(2, device=choose_device("auto")).sum() == 2


@pytest.mark.parametrize(
    ("name", "message"), [("gpu", "unknown: use auto"), ("cuda:x", "unknown"), ("cuda:99", "not on this machine")]
)
def test_a_device_that_is_not_there_is_refused(name, message):
    with pytest.raises(ConfigError, match=rf"training\.device={name} .*{message}"):
        choose_device(name)


def test_precision_is_what_was_asked_for():
    cpu = torch.device("cpu")
    assert choose_autocast(Precision.float32, cpu) is None
    assert choose_autocast(Precision.bfloat16, cpu) is torch.bfloat16
    assert choose_autocast(Precision.auto, cpu) in (None, torch.bfloat16)
