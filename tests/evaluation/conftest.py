"""Sounds that several tests look at."""

import pytest
import soundfile
import torch

from sda.evaluation.sounds import Sound
from tests.conftest import RATE_HZ


@pytest.fixture
def sounds():
    generator = torch.Generator().manual_seed(0)
    loud = 0.1 * torch.randn(3 * RATE_HZ, generator=generator)
    half_silent = torch.cat([loud[:RATE_HZ], torch.zeros(RATE_HZ)])
    return [Sound("loud", loud), Sound("half silent", half_silent), Sound("short", loud[:4000])]


def read_sounds(folder):
    return [
        Sound(path.name, torch.from_numpy(soundfile.read(path, dtype="float32")[0]))
        for path in sorted(folder.iterdir())
    ]
