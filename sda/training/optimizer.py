"""AdamW as it is used here, and its moments as tensors by name."""

from inspect import unwrap
from typing import Any

import torch
from torch import Tensor, nn

MOMENTS_PREFIX = "optimizer/"
"""What the names of an optimiser's moments begin with."""


class EagerAdamW(torch.optim.AdamW):
    """AdamW whose methods do not import torch's compiler, which takes seconds; nothing is compiled here."""

    add_param_group = unwrap(torch.optim.Optimizer.add_param_group)
    state_dict = unwrap(torch.optim.Optimizer.state_dict)
    load_state_dict = unwrap(torch.optim.Optimizer.load_state_dict)
    zero_grad = unwrap(torch.optim.Optimizer.zero_grad)
    step = torch.no_grad()(unwrap(torch.optim.AdamW.step))


def build_optimizer(model: nn.Module, learning_rate: float, weight_decay: float) -> torch.optim.AdamW:
    """AdamW over all parameters; weight decay on matrices and kernels, not on biases, norms and gains.

    Reference:
        Loshchilov & Hutter, "Decoupled Weight Decay Regularization", ICLR 2019.
    """
    parameters = list(model.parameters())
    groups = [
        {"params": [p for p in parameters if _is_kernel(p)], "weight_decay": weight_decay},
        {"params": [p for p in parameters if not _is_kernel(p)], "weight_decay": 0.0},
    ]
    return EagerAdamW(groups, lr=learning_rate, fused=True)


def _is_kernel(parameter: Tensor) -> bool:
    """Whether it has more than one number for each output; what weight normalisation scales with has one."""
    return parameter.dim() > 1 and parameter.numel() > len(parameter)


def name_moments(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """The moments of an optimiser, `optimizer/<number of the parameter>/<moment>` each."""
    return {
        f"{MOMENTS_PREFIX}{index}/{name}": torch.as_tensor(value)
        for index, moments in optimizer.state_dict()["state"].items()
        for name, value in moments.items()
    }


def load_moments(optimizer: torch.optim.Optimizer, named: dict[str, Tensor]) -> None:
    """Take over what `name_moments` gave; other names are passed over.

    Raises:
        IndexError, ValueError: they are those of other parameters.
    """
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    moments: dict[int, dict[str, Any]] = {}
    for name, tensor in named.items():
        if name.startswith(MOMENTS_PREFIX):
            _, index, key = name.split("/")
            moments.setdefault(int(index), {})[key] = _lay_out_like(parameters[int(index)], tensor)
    optimizer.load_state_dict({"state": moments, "param_groups": optimizer.state_dict()["param_groups"]})


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
