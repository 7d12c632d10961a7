import pytest
import torch
from torch import nn

from sda.training.average import copy_for_averaging, follow


def _weights(value):
    layer = nn.Linear(2, 1, bias=False)
    nn.init.constant_(layer.weight, value)
    return layer


def test_the_average_is_that_of_the_last_steps():
    model, average = _weights(0.0), copy_for_averaging(_weights(0.0))
    for step in range(1, 4001):
        nn.init.constant_(model.weight, float(step))
        follow(average, model, step, decay=0.99)
    assert average.weight[0, 0].item() == pytest.approx(4000 - 99, abs=1)  # the mean age is decay / (1 - decay)


def test_a_young_average_has_forgotten_where_it_began():
    model, average = _weights(1.0), copy_for_averaging(_weights(100.0))
    for step in range(1, 51):
        follow(average, model, step, decay=0.999)
    assert average.weight[0, 0].item() == pytest.approx(1.0, abs=0.01)


def test_without_decay_it_is_the_model():
    model, average = _weights(3.0), copy_for_averaging(_weights(0.0))
    follow(average, model, 1, decay=0.0)
    assert torch.equal(average.weight, model.weight)


def test_it_learns_nothing_by_itself():
    average = copy_for_averaging(_weights(1.0).train())
    assert not average.training
    assert not average.weight.requires_grad
