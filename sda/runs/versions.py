"""Versions of what a run is computed with: the same numbers to the last bit need the same."""

import platform
from collections.abc import Mapping
from importlib.metadata import version

import torch

from sda import __version__

_LIBRARIES = ("torch", "torchaudio", "numpy", "soxr")
"""Libraries whose arithmetic a run's numbers depend on."""


def list_versions(device: torch.device) -> dict[str, str]:
    """Version of everything that computes, by name, and what it computes on."""
    return {
        "device": device.type,
        "GPU": torch.cuda.get_device_name(device) if device.type == "cuda" else "",
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "threads": str(torch.get_num_threads()),
        "python": platform.python_version(),
        "sda": __version__,
        "machine": platform.machine(),
        **{name: version(name) for name in _LIBRARIES},
    }


def describe_changes(then: Mapping[str, str], now: Mapping[str, str]) -> str:
    """What is not as it was, in words; empty where nothing is, or nothing is known of it.

    >>> describe_changes({"torch": "2.13.0", "sda": "1"}, {"torch": "2.14.1", "sda": "1"})
    'torch was 2.13.0 and is 2.14.1: from here on, numbers may differ in their last digits from a run never stopped'
    """
    changed = [f"{name} was {then[name]} and is {now[name]}" for name in now if then.get(name, now[name]) != now[name]]
    if not changed:
        return ""
    return f"{', '.join(changed)}: from here on, numbers may differ in their last digits from a run never stopped"
