"""Clips of a tone whose loudness moves, in a little noise."""

import torch


def make_clip(hz, speed_hz=0.0, rate_hz=16000, level=0.1):
    time_s = torch.arange(rate_hz) / rate_hz
    noise = 0.1 * torch.randn(rate_hz, generator=torch.Generator().manual_seed(int(hz)))
    tone = torch.sin(2 * torch.pi * hz * time_s) * (1 + 0.9 * torch.sin(2 * torch.pi * speed_hz * time_s))
    return level * (tone + noise)
