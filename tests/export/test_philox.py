"""The noise in a file is the noise of `sda.audio.noise`, sample for sample."""

import pytest
import torch

from sda.audio.noise import draw_noise
from sda.export.philox import Philox
from sda.export.scripting import script
from tests.export.nn_host import load


@pytest.mark.parametrize(
    ("seed", "first", "n_samples"),
    [(0, 0, 1000), (7, 13, 1001), (123_456_789_012_345, 2048, 30_000), (2**62 + 5, 2**40 + 3, 999)],
)
def test_every_sample_is_the_same(seed, first, n_samples):
    assert torch.equal(Philox()(seed, first, n_samples), draw_noise(seed, first, n_samples))


def test_it_is_the_same_where_there_is_no_python(tmp_path):
    path = tmp_path / "philox.ts"
    path.write_bytes(script(Philox()))
    loaded = load(path)
    assert torch.equal(loaded(7, 13, 1001), draw_noise(7, 13, 1001))
    assert not torch.equal(loaded(8, 13, 1001), draw_noise(7, 13, 1001))
