"""The block that networks along time are made of: how far it reaches, and that it can be left out."""

import pytest
import torch

from sda.models.convnext import KERNEL, ConvNextBlock, stack_blocks


@pytest.mark.parametrize("n_blocks", [0, 1, 3])
def test_an_output_depends_on_as_many_frames_as_the_kernels_reach_over(n_blocks):
    blocks = stack_blocks(4, n_blocks)
    features = torch.randn(1, 4, 60)
    changed = features.clone()
    changed[:, :, 30] += 1.0
    moved = (blocks(features) != blocks(changed)).any(dim=1)[0].nonzero()[:, 0].tolist()
    reach = n_blocks * (KERNEL // 2)
    assert moved == list(range(30 - reach, 31 + reach))


def test_a_block_adds_to_what_it_is_given():
    block = ConvNextBlock(4)
    torch.nn.init.zeros_(block.scale)
    features = torch.randn(2, 4, 10)
    assert torch.equal(block(features), features)


def test_frames_of_one_item_do_not_reach_another():
    block = ConvNextBlock(4)
    features = torch.randn(3, 4, 10)
    torch.testing.assert_close(block(features)[1:2], block(features[1:2]))
