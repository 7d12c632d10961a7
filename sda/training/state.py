"""Everything a run's continuation depends on, as data."""

from dataclasses import dataclass, field
from inspect import unwrap
from typing import Any

import torch
from torch import Tensor, nn

from sda.models.mel_vae import MelVAE
from sda.training.metrics import MetricsHistory


@dataclass
class Progress:
    """Where a run stands; plain numbers, saved as JSON."""

    epoch: int = 0
    """Epochs completed."""
    step: int = 0
    """Optimiser steps taken."""
    batch: int = 0
    """Batches of the current epoch already seen."""
    skipped_steps: int = 0
    """Steps not taken because loss or gradient were not finite."""
    kl_warmup_steps: int | None = None
    """Length of the KL warm-up, settled at the first step: training on for longer does not warm up again."""
    elapsed_s: float = 0.0
    """Training time so far, over all continuations."""
    best_val_loss: float | None = None
    """Lowest held-out loss at full KL weight; `None` before the end of the warm-up."""
    best_epoch: int = 0
    epochs_since_best: int = 0
    warned: list[str] = field(default_factory=list)
    """Kinds of warning already given once."""


@dataclass
class TrainState:
    """A run in progress: learn by mutating it, continue by saving and loading it."""

    model: MelVAE
    optimizer: torch.optim.Optimizer
    progress: Progress = field(default_factory=Progress)
    history: MetricsHistory = field(default_factory=MetricsHistory)

    def tensors(self) -> dict[str, Tensor]:
        """Parameters, buffers, optimiser moments and random generators, by a flat name."""
        named = {f"model/{name}": tensor for name, tensor in self.model.state_dict().items()}
        for index, moments in self.optimizer.state_dict()["state"].items():
            named |= {f"optimizer/{index}/{name}": torch.as_tensor(value) for name, value in moments.items()}
        named["rng/cpu"] = torch.get_rng_state()
        for gpu in range(torch.cuda.device_count() if torch.cuda.is_available() else 0):
            named[f"rng/cuda/{gpu}"] = torch.cuda.get_rng_state(gpu)
        if torch.backends.mps.is_available():
            named["rng/mps"] = torch.mps.get_rng_state()
        return named

    def load_tensors(self, named: dict[str, Tensor]) -> None:
        """Take over what `tensors` gave.

        Raises:
            KeyError, IndexError, RuntimeError: the names or shapes are those of another model.
        """
        self.model.load_state_dict(
            {name.removeprefix("model/"): tensor for name, tensor in named.items() if name.startswith("model/")}
        )
        groups = self.optimizer.state_dict()["param_groups"]
        parameters = [parameter for group in self.optimizer.param_groups for parameter in group["params"]]
        moments: dict[int, dict[str, Any]] = {}
        for name, tensor in named.items():
            if name.startswith("optimizer/"):
                _, index, key = name.split("/")
                moments.setdefault(int(index), {})[key] = _lay_out_like(parameters[int(index)], tensor)
        self.optimizer.load_state_dict({"state": moments, "param_groups": groups})
        torch.set_rng_state(named["rng/cpu"].cpu())
        for gpu in range(torch.cuda.device_count() if torch.cuda.is_available() else 0):
            if f"rng/cuda/{gpu}" in named:
                torch.cuda.set_rng_state(named[f"rng/cuda/{gpu}"].cpu(), gpu)
        if torch.backends.mps.is_available() and "rng/mps" in named:
            torch.mps.set_rng_state(named["rng/mps"].cpu())


def _lay_out_like(parameter: Tensor, moment: Tensor) -> Tensor:
    """A moment in its parameter's layout, which the fused kernel takes for granted; a step count is left as it is."""
    return torch.empty_like(parameter).copy_(moment) if moment.shape == parameter.shape else moment


class EagerAdamW(torch.optim.AdamW):
    """AdamW whose methods do not import torch's compiler, which takes seconds; nothing is compiled here."""

    add_param_group = unwrap(torch.optim.Optimizer.add_param_group)
    state_dict = unwrap(torch.optim.Optimizer.state_dict)
    load_state_dict = unwrap(torch.optim.Optimizer.load_state_dict)
    zero_grad = unwrap(torch.optim.Optimizer.zero_grad)
    step = torch.no_grad()(unwrap(torch.optim.AdamW.step))


def build_optimizer(model: nn.Module, learning_rate: float, weight_decay: float) -> torch.optim.AdamW:
    """AdamW over all parameters; weight decay on matrices and kernels, not on biases and norms.

    Reference:
        Loshchilov & Hutter, "Decoupled Weight Decay Regularization", ICLR 2019.
    """
    parameters = list(model.parameters())
    groups = [
        {"params": [p for p in parameters if p.dim() > 1], "weight_decay": weight_decay},
        {"params": [p for p in parameters if p.dim() <= 1], "weight_decay": 0.0},
    ]
    return EagerAdamW(groups, lr=learning_rate, fused=True)
