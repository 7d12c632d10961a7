"""Devices: where and how exactly to compute."""

import random
from contextlib import AbstractContextManager
from typing import TypeVar

import numpy as np
import torch
from torch import nn

from sda.audio.mel import AudioFeatures
from sda.errors import ConfigError

FIRST_WITH_BFLOAT16 = (8, 0)
"""Compute capability from which on CUDA devices multiply bfloat16; before, it is emulated."""
READ_BACK_STEPS = 32
"""Steps whose figures are read back together from a device that works beside the processor."""

Network = TypeVar("Network", bound=nn.Module)


def choose_device(name: str) -> torch.device:
    """The device of that name; `auto` takes CUDA, then MPS, then the CPU.

    Raises:
        ConfigError: the name is unknown, or this machine has no such device.
    """
    has = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        return torch.device(next(kind for kind in ("cuda", "mps", "cpu") if has[kind]))
    kind, _, index = name.partition(":")
    if kind not in has or (index and not index.isdigit()):
        raise ConfigError(f"training.device={name} is unknown: use auto, cpu, cuda, cuda:N or mps.")
    if not has[kind] or (kind == "cuda" and int(index or 0) >= torch.cuda.device_count()):
        raise ConfigError(f"training.device={name} is not on this machine: use auto or cpu.")
    return torch.device(name)


def is_made_for_bfloat16(device: torch.device) -> bool:
    """Whether a step pays in bfloat16 on this kind of device: CUDA devices of compute capability 8.0 and more.

    CPUs are none, though some have instructions for it: on an Intel Xeon with AVX-512 BF16, one thread, a step of
    `spectral_vae` takes as long as in float32 and one of `mel_vae` 1.7 times as long; elsewhere it is emulated.
    """
    return device.type == "cuda" and torch.cuda.get_device_capability(device) >= FIRST_WITH_BFLOAT16


def count_block_steps(device: torch.device) -> int:
    """Steps to tell together: a CPU has nothing to wait for."""
    return 1 if device.type == "cpu" else READ_BACK_STEPS


def count_memory(device: torch.device) -> int:
    """Bytes of memory that a CUDA device has, and 0 for others, which share theirs with everything else."""
    return torch.cuda.get_device_properties(device).total_memory if device.type == "cuda" else 0


def place(model: Network, device: torch.device) -> Network:
    """Move a network to a device, its kernels laid out with channels last where convolutions are faster so."""
    if device.type == "mps":
        return model.to(device)
    return model.to(device).to(memory_format=torch.channels_last)


def compile_network(model: nn.Module, device: torch.device, example: AudioFeatures) -> None:
    """Have passes through a network compiled, on CUDA recorded as a graph; the first, taken here, takes long.

    Gradients and torch's random generators are left as they were.

    Args:
        example: an input such as it will be given.

    Raises:
        ConfigError: this machine cannot compile.
    """
    model.compile(mode="reduce-overhead" if device.type == "cuda" else "default")
    try:
        with fork_generators(device):
            model.train()(example).output.sum().backward()
    except RuntimeError as error:
        raise ConfigError(
            f"training.compile=true does not work on this machine ({str(error).splitlines()[0]}). "
            "It needs a C++ compiler; training.compile=false does without."
        ) from error
    model.zero_grad(set_to_none=True)


def fork_generators(device: torch.device) -> AbstractContextManager[None]:
    """While entered, draws from torch's generators leave no trace."""
    if device.type == "cpu":
        return torch.random.fork_rng(devices=[])
    return torch.random.fork_rng(devices=[device.index or 0], device_type=device.type)


def seed_everything(seed: int, deterministic: bool) -> None:
    """Seed every generator of the process; `deterministic` also forbids kernels whose result may vary (GPU)."""
    random.seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002 (sda draws from generators of its own; functions of yours may not)
    torch.manual_seed(seed)
    # The same switch as use_deterministic_algorithms, without importing torch's compiler, which takes seconds.
    torch.set_deterministic_debug_mode("error" if deterministic else "default")
    torch.backends.cudnn.benchmark = not deterministic
