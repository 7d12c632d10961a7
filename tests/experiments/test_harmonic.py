"""What experiment 007 takes for a harmonic event: a steady pitch that begins and ends within a sound."""

import importlib.util
from pathlib import Path

import pytest
import torch

FILE = Path(__file__).parents[2] / "experiments" / "007-new-sound" / "harmonic.py"
RATE_HZ = 16000


@pytest.fixture(scope="module")
def harmonic():
    spec = importlib.util.spec_from_file_location("harmonic", FILE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _tone(*stretches, pitch_hz=400.0):
    time_s = torch.arange(3 * RATE_HZ) / RATE_HZ
    is_on = torch.stack([(time_s >= first) & (time_s < last) for first, last in stretches]).any(dim=0)
    return 0.3 * torch.sin(6.2832 * pitch_hz * time_s) * is_on


def test_what_begins_and_ends_is_counted_and_nothing_else(harmonic):
    noise = 0.1 * torch.randn(3 * RATE_HZ, generator=torch.Generator().manual_seed(0))
    steps = torch.cat([_tone((0.0, 3.0), pitch_hz=hz)[:1600] for hz in (300.0, 430.0, 620.0, 900.0) * 3])
    for sound, expected in (
        (_tone((1.0, 1.5)), 1),
        (_tone((0.5, 1.0), (2.0, 2.6)), 2),
        (_tone((0.0, 3.0)), 0),
        (_tone((1.0, 1.1)), 0),
        (noise, 0),
        (torch.zeros(3 * RATE_HZ), 0),
        (torch.nn.functional.pad(steps, (8000, 8000)), 0),
    ):
        assert harmonic.count_harmonic_events(sound, RATE_HZ) == expected
