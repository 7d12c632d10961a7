"""Where and how exactly to compute."""

import torch

from sda.errors import ConfigError
from sda.training.config import Precision


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


def choose_autocast(precision: Precision, device: torch.device) -> torch.dtype | None:
    """The type that the forward pass is computed in, or `None` for float32.

    `auto` takes bfloat16 where the hardware multiplies it: GPUs that support it, and CPUs with AVX-512 BF16 or AMX.
    Elsewhere it is emulated and many times slower.
    """
    if precision is Precision.float32:
        return None
    if precision is Precision.bfloat16:
        return torch.bfloat16
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else None
    if device.type == "cpu":
        has_bf16 = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
        return torch.bfloat16 if has_bf16 else None
    return None


def seed_everything(seed: int, deterministic: bool) -> None:
    """Seed torch's generators; `deterministic` also forbids kernels whose result may vary (GPU)."""
    torch.manual_seed(seed)
    # The same switch as use_deterministic_algorithms, without importing torch's compiler, which takes seconds.
    torch.set_deterministic_debug_mode("error" if deterministic else "default")
    torch.backends.cudnn.benchmark = not deterministic
