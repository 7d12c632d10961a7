"""Timing side by side: what is compared takes turns, so that whatever else the machine does falls on all alike."""

import time
from collections.abc import Callable, Mapping, Sequence
from statistics import median

import torch


def synchronize(device: torch.device) -> None:
    """Wait until the device has done all it was asked."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def time_call(part: Callable[[], object], device: torch.device, n_calls: int = 1, at_least_s: float = 0.0) -> float:
    """Seconds that a call takes, over at least `n_calls` calls and at least so long."""
    synchronize(device)
    n_done, started = 0, time.perf_counter()
    while n_done < n_calls or time.perf_counter() - started < at_least_s:
        part()
        n_done += 1
    synchronize(device)
    return (time.perf_counter() - started) / n_done


def take_turns(
    parts: Mapping[str, Callable[[], object]], n_rounds: int, device: torch.device
) -> dict[str, list[float]]:
    """Seconds a call of each part, in turns A, B, C, A, B, C…, after one call of each that is not counted."""
    for part in parts.values():
        part()
    seconds: dict[str, list[float]] = {name: [] for name in parts}
    for _ in range(n_rounds):
        for name, part in parts.items():
            seconds[name].append(time_call(part, device))
    return seconds


def divide(above: Sequence[float], below: Sequence[float]) -> float:
    """The median over all rounds of one measurement divided by the other of the same round.

    >>> divide([2.0, 4.0, 9.0], [1.0, 2.0, 3.0])
    2.0
    """
    return median(a / b for a, b in zip(above, below, strict=True))


def quantile(values: Sequence[float], share: float) -> float:
    """The value that `share` of the values stay below, the nearest one that occurred.

    >>> quantile([4.0, 1.0, 3.0, 2.0], 0.95)
    4.0
    """
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
