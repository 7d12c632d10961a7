"""The block that networks along time are made of.

Letters in the shapes: `B` batch, `C` channels, `F` frames.
"""

import torch
from torch import Tensor, nn

KERNEL = 7
"""Frames that a convolution reaches over."""
EXPANSION = 3
LAYER_SCALE = 0.3
"""How much of a block's output is added to its input at first."""


class ConvNextBlock(nn.Module):
    """A wide depthwise convolution along time, then two layers at every frame, added to the input. `[B, C, F]`.

    Reference:
        Liu et al., "A ConvNet for the 2020s", CVPR 2022; in one dimension as Siuzdak, "Vocos", ICLR 2024.
    """

    def __init__(self, channels: int):
        super().__init__()
        self.along_time = nn.Conv1d(channels, channels, KERNEL, padding=KERNEL // 2, groups=channels)
        self.norm = nn.LayerNorm(channels)
        self.widen = nn.Linear(channels, EXPANSION * channels)
        self.narrow = nn.Linear(EXPANSION * channels, channels)
        self.scale = nn.Parameter(torch.full((channels,), LAYER_SCALE))

    def forward(self, features: Tensor) -> Tensor:
        frames = self.norm(self.along_time(features).transpose(1, 2))  # [B, F, C]
        frames = self.narrow(nn.functional.gelu(self.widen(frames))) * self.scale
        output: Tensor = features + frames.transpose(1, 2)
        return output


def stack_blocks(channels: int, n_blocks: int) -> nn.Sequential:
    """So many blocks, one after the other."""
    return nn.Sequential(*(ConvNextBlock(channels) for _ in range(n_blocks)))
