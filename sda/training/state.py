"""Everything a run's continuation depends on, as data."""

from dataclasses import dataclass, field
from inspect import unwrap
from typing import Any

import torch
from torch import Tensor, nn

from sda.models.autoencoder import Autoencoder
from sda.training import generators
from sda.training.average import copy_for_averaging
from sda.training.metrics import MetricsHistory

MODEL_PREFIX = "model/"
"""What the names of the model's tensors begin with among those of the whole state."""
AVERAGE_PREFIX = "average/"
"""The same for the average of the model."""


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
    n_rollbacks: int = 0
    """How often the run diverged and went back to a checkpoint."""
    learning_rate_scale: float = 1.0
    """What the learning rate is multiplied with since then."""
    n_parts: int = 1
    """Parts that a batch is computed in, one after the other, because memory holds no more."""
    kl_warmup_steps: int | None = None
    """Length of the KL warm-up, settled at the first step: training on for longer does not warm up again."""
    elapsed_s: float = 0.0
    """Training time so far, over all continuations."""
    best_val_loss: float | None = None
    """Held-out loss of the best epoch; `None` before the end of the KL warm-up."""
    best_replicates: list[float] = field(default_factory=list)
    """The same in every draw of the held-out files, which later epochs are compared with; empty where not known."""
    best_epoch: int = 0
    epochs_since_best: int = 0
    """Epochs after it, none of them better by more than noise."""
    warned: list[str] = field(default_factory=list)
    """Kinds of warning already given once."""


@dataclass
class TrainState:
    """A run in progress: learn by mutating it, continue by saving and loading it."""

    model: Autoencoder
    optimizer: torch.optim.Optimizer
    progress: Progress = field(default_factory=Progress)
    history: MetricsHistory = field(default_factory=MetricsHistory)
    average: Autoencoder = field(init=False)
    """The model whose weights are the moving average: what is judged and kept."""

    def __post_init__(self) -> None:
        self.average = copy_for_averaging(self.model)

    def tensors(self) -> dict[str, Tensor]:
        """Parameters, buffers, optimiser moments and random generators, by a flat name."""
        named = list_tensors(self.model) | list_tensors(self.average, AVERAGE_PREFIX)
        for index, moments in self.optimizer.state_dict()["state"].items():
            named |= {f"optimizer/{index}/{name}": torch.as_tensor(value) for name, value in moments.items()}
        named |= generators.save_generators()
        return named

    def load_tensors(self, named: dict[str, Tensor]) -> None:
        """Take over what `tensors` gave.

        Raises:
            KeyError, IndexError, RuntimeError: the names or shapes are those of another model.
        """
        self.model.load_state_dict(_select(named, MODEL_PREFIX))
        self.average.load_state_dict(select_model(named))
        groups = self.optimizer.state_dict()["param_groups"]
        parameters = [parameter for group in self.optimizer.param_groups for parameter in group["params"]]
        moments: dict[int, dict[str, Any]] = {}
        for name, tensor in named.items():
            if name.startswith("optimizer/"):
                _, index, key = name.split("/")
                moments.setdefault(int(index), {})[key] = _lay_out_like(parameters[int(index)], tensor)
        self.optimizer.load_state_dict({"state": moments, "param_groups": groups})
        generators.load_generators(named)


def list_tensors(model: nn.Module, prefix: str = MODEL_PREFIX) -> dict[str, Tensor]:
    """Every tensor of a model under the name that `TrainState.tensors` gives it."""
    return {f"{prefix}{name}": tensor for name, tensor in model.state_dict().items()}


def select_model(named: dict[str, Tensor]) -> dict[str, Tensor]:
    """The tensors of the model to be used, under its own names, among those that `TrainState.tensors` gave.

    The average's; the model's own in a state saved before there was an average.
    """
    return _select(named, AVERAGE_PREFIX) or _select(named, MODEL_PREFIX)


def _select(named: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in named.items() if name.startswith(prefix)}


def _lay_out_like(parameter: Tensor, moment: Tensor) -> Tensor:
    """A moment in its parameter's layout, which the fused kernel takes for granted; a step count is left as it is.

    Raises:
        ValueError: it is another parameter's.
    """
    if moment.dim() == 0:
        return moment
    if moment.shape != parameter.shape:
        raise ValueError(f"a moment of shape {tuple(moment.shape)} for a parameter of {tuple(parameter.shape)}")
    return torch.empty_like(parameter).copy_(moment)


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
