"""The optimiser: which parameters it moves, which decay, and its moments as they are saved and loaded."""

import copy

import pytest
import torch
from torch import nn

from sda.training.optimizer import build_optimizer, load_moments, name_moments


def test_every_parameter_is_in_the_optimiser_and_moves(make_miniature):
    run = make_miniature(max_epochs=1)
    before = {name: parameter.clone() for name, parameter in run.model.named_parameters()}
    run.run()
    assert [name for name, parameter in run.model.named_parameters() if torch.equal(parameter, before[name])] == []


def _learn(layer, optimizer, n_steps):
    inputs = torch.linspace(-1.0, 1.0, 8)[:, None]
    for _ in range(n_steps):
        optimizer.zero_grad()
        (layer(inputs) - 1.0).square().mean().backward()
        optimizer.step()


def test_only_kernels_decay():
    decaying, others = build_optimizer(nn.Sequential(nn.Linear(3, 2), nn.LayerNorm(2)), 1e-3, 0.1).param_groups
    assert (decaying["weight_decay"], others["weight_decay"]) == (0.1, 0.0)
    assert [tuple(parameter.shape) for parameter in decaying["params"]] == [(2, 3)]
    assert [tuple(parameter.shape) for parameter in others["params"]] == [(2,)] * 3


def test_with_its_moments_loaded_an_optimiser_goes_on_as_if_never_stopped():
    whole = nn.Linear(1, 1)
    optimizer = build_optimizer(whole, 0.1, 0.01)
    _learn(whole, optimizer, 3)
    moments = {name: moment.clone() for name, moment in name_moments(optimizer).items()}
    assert {"optimizer/0/exp_avg", "optimizer/1/exp_avg_sq", "optimizer/1/step"} <= moments.keys()
    other = copy.deepcopy(whole)
    taken_up, forgetful = build_optimizer(other, 0.1, 0.01), copy.deepcopy(whole)
    load_moments(taken_up, moments | {"model/weight": torch.zeros(1)})
    _learn(whole, optimizer, 3)
    _learn(other, taken_up, 3)
    _learn(forgetful, build_optimizer(forgetful, 0.1, 0.01), 3)
    assert torch.equal(other.weight, whole.weight)
    assert not torch.equal(forgetful.weight, whole.weight)


def test_moments_of_other_parameters_are_refused():
    optimizer = build_optimizer(nn.Linear(2, 1), 0.1, 0.0)
    with pytest.raises(ValueError, match=r"a moment of shape \(3,\) for a parameter of \(1, 2\)"):
        load_moments(optimizer, {"optimizer/0/exp_avg": torch.zeros(3)})
    with pytest.raises(IndexError):
        load_moments(optimizer, {"optimizer/9/exp_avg": torch.zeros(3)})
