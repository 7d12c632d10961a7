"""The state of every random generator that a process has, as tensors, so that a run goes on with the same draws."""

import random

import numpy as np
import torch
from torch import Tensor


def save_generators() -> dict[str, Tensor]:
    """Torch's generators, on the CPU and on every device, NumPy's and Python's own, by a name each.

    What sda draws by itself follows from a seed, an epoch and an index; these are for torch's layers and for functions
    of yours.
    """
    named = {"rng/cpu": torch.get_rng_state()}
    for gpu in range(_count_gpus()):
        named[f"rng/cuda/{gpu}"] = torch.cuda.get_rng_state(gpu)
    if torch.backends.mps.is_available():
        named["rng/mps"] = torch.mps.get_rng_state()
    state = np.random.get_state(legacy=False)  # noqa: NPY002 (the one that functions of yours may draw from)
    words = [*state["state"]["key"].tolist(), state["state"]["pos"], state["has_gauss"]]
    named["rng/numpy"] = torch.tensor(words, dtype=torch.int64)
    named["rng/numpy_gauss"] = torch.tensor(state["gauss"], dtype=torch.float64)
    version, internal, next_gauss = random.getstate()
    named["rng/python"] = torch.tensor([version, *internal], dtype=torch.int64)
    if next_gauss is not None:
        named["rng/python_gauss"] = torch.tensor(next_gauss, dtype=torch.float64)
    return named


def load_generators(named: dict[str, Tensor]) -> None:
    """Take over what `save_generators` gave; devices that are not here any more are left out.

    Raises:
        IndexError, KeyError, RuntimeError, TypeError, ValueError: a state is missing or no state at all.
    """
    torch.set_rng_state(named["rng/cpu"].cpu())
    for gpu in range(_count_gpus()):
        if f"rng/cuda/{gpu}" in named:
            torch.cuda.set_rng_state(named[f"rng/cuda/{gpu}"].cpu(), gpu)
    if torch.backends.mps.is_available() and "rng/mps" in named:
        torch.mps.set_rng_state(named["rng/mps"].cpu())
    if "rng/numpy" in named:
        *keys, position, has_gauss = named["rng/numpy"].tolist()
        gauss = named["rng/numpy_gauss"].item()
        np.random.set_state(("MT19937", np.array(keys, np.uint32), position, has_gauss, gauss))  # noqa: NPY002
    if "rng/python" in named:
        version, *words = named["rng/python"].tolist()
        next_gauss = named["rng/python_gauss"].item() if "rng/python_gauss" in named else None
        random.setstate((version, tuple(words), next_gauss))


def _count_gpus() -> int:
    return torch.cuda.device_count() if torch.cuda.is_available() else 0
