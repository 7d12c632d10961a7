"""Sounds that several tests look at."""

import pytest
import torch

from sda.evaluation.sounds import Sound
from tests.conftest import RATE_HZ


@pytest.fixture
def sounds():
    generator = torch.Generator().manual_seed(0)
    loud = 0.1 * torch.randn(3 * RATE_HZ, generator=generator)
    half_silent = torch.cat([loud[:RATE_HZ], torch.zeros(RATE_HZ)])
    return [Sound("loud", loud), Sound("half silent", half_silent), Sound("short", loud[:4000])]
