"""What a training step costs in one arrangement, and which kernels it is made of."""

import gc
from collections.abc import Callable
from dataclasses import asdict, dataclass

import torch
from torch.autograd import DeviceType
from torch.profiler import ProfilerActivity, profile

from experiments.bench.timing import time_call
from sda.app.pace import build_step
from sda.config.model import ModelSize
from sda.config.schema import TrainRunConfig
from sda.training.arithmetic import AUTOCAST
from sda.training.config import Precision

N_WARM = 3
"""Steps that find memory and choose kernels."""
N_TIMED = 8
TIMED_S = 0.5
"""Steps are timed for at least so long."""
N_PROFILED = 4


@dataclass(frozen=True)
class Arrangement:
    """What is varied."""

    size: str
    batch_size: int
    precision: str
    compiled: bool

    @property
    def title(self) -> str:
        """As it is printed."""
        way = "compiled" if self.compiled else "eager"
        return f"{self.size:<6} {self.batch_size:>5} {self.precision:<9} {way:<9}"

    def build(self, device: torch.device) -> Callable[[], object]:
        """A step on noise of one second an item."""
        config = TrainRunConfig()
        config.model.size = ModelSize[self.size]
        config.training.batch_size = self.batch_size
        return build_step(config, device, AUTOCAST[Precision[self.precision]], compiled=self.compiled)


@dataclass(frozen=True)
class Cost:
    """What a step in an arrangement costs."""

    arrangement: Arrangement
    step_s: float
    kernels_s: float | None
    """Time of a step in which its kernels run, the least that it could take with nothing between them; nothing where
    the device has none."""
    memory: int | None
    """Most memory of the device that was in use, bytes."""

    @property
    def steps_per_s(self) -> float:
        """Steps a second."""
        return 1 / self.step_s

    @property
    def sound_per_s(self) -> float:
        """Seconds of sound that are learned from in a second."""
        return self.arrangement.batch_size / self.step_s

    @property
    def floor_share(self) -> float | None:
        """How much of a step's time its kernels take: the rest is waiting for the processor to ask for them."""
        return None if self.kernels_s is None else self.kernels_s / self.step_s

    def describe(self) -> dict[str, object]:
        """For JSON."""
        figures = {"steps_per_s": self.steps_per_s, "sound_per_s": self.sound_per_s, "floor_share": self.floor_share}
        return {**asdict(self), **figures}

    def __str__(self) -> str:
        share = "" if self.floor_share is None else f"{self.floor_share:>8.0%}"
        memory = "" if self.memory is None else f"{self.memory / 2**30:>8.2f}"
        speed = f"{self.step_s * 1000:>10.2f} {self.steps_per_s:>9.1f} {self.sound_per_s:>12.0f}"
        return f"{self.arrangement.title} {speed} {share:>8} {memory:>8}".rstrip()


HEAD = (
    f"{'size':<6} {'batch':>5} {'precision':<9} {'way':<9} {'ms/step':>10} {'steps/s':>9} {'sound s/s':>12} "
    f"{'kernels':>8} {'GiB':>8}"
)


def measure_cost(arrangement: Arrangement, device: torch.device, *, quick: bool = False) -> Cost:
    """Take steps in an arrangement, and time them.

    Raises:
        torch.OutOfMemoryError: the device has no room for it.
    """
    is_cuda = device.type == "cuda"
    if is_cuda:
        gc.collect()
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)
    step = arrangement.build(device)
    for _ in range(1 if quick else N_WARM):
        step()
    step_s = time_call(step, device, 1 if quick else N_TIMED, 0.0 if quick else TIMED_S)
    memory = torch.cuda.max_memory_allocated(device) if is_cuda else None
    kernels = list_kernels(step, device, 1 if quick else N_PROFILED) if is_cuda else {}
    return Cost(arrangement, step_s, sum(kernels.values()) if is_cuda else None, memory)


def list_kernels(step: Callable[[], object], device: torch.device, n_steps: int = N_PROFILED) -> dict[str, float]:
    """Seconds of a step by kernel, the longest first; by operator where there are no kernels, on a CPU."""
    is_cuda = device.type == "cuda"
    activities = [ProfilerActivity.CPU, ProfilerActivity.CUDA] if is_cuda else [ProfilerActivity.CPU]
    with profile(activities=activities) as profiler:
        time_call(step, device, n_steps)
    kind = DeviceType.CUDA if is_cuda else DeviceType.CPU
    spent = {
        event.key: (event.self_device_time_total if is_cuda else event.self_cpu_time_total) / 1e6 / n_steps
        for event in profiler.key_averages()
        if event.device_type == kind
    }
    return dict(sorted(spent.items(), key=lambda item: -item[1]))
