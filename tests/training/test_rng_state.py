import random

import numpy as np
import pytest
import torch

from sda.training.rng_state import load_generators, save_generators

REFUSALS = (IndexError, RuntimeError, TypeError, ValueError)


def _draw():
    legacy = np.random  # the generator that functions of a user may draw from
    return (
        torch.rand(3).tolist(), torch.randn(1).item(), legacy.rand(), legacy.randn(), random.random(),
        random.gauss(0, 1),
    )  # fmt: skip


@pytest.mark.parametrize("n_before", [0, 1, 3])
def test_every_generator_goes_on_where_it_was(n_before):
    for _ in range(n_before):  # an odd number of normal draws leaves one kept back
        np.random.randn()  # noqa: NPY002
        random.gauss(0, 1)
    saved = save_generators()
    expected = [_draw() for _ in range(3)]
    _draw()
    load_generators(saved)
    assert [_draw() for _ in range(3)] == expected


def test_a_state_that_is_none_is_refused():
    saved = save_generators()
    with pytest.raises(REFUSALS):
        load_generators({**saved, "rng/cpu": torch.zeros(3)})
    with pytest.raises(REFUSALS):
        load_generators({**saved, "rng/numpy": torch.zeros(3, dtype=torch.int64)})
    load_generators(saved)
