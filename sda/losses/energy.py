"""The energy score: how well random draws foretell how a sound moves, lowest for draws as random as the sound.

A distance to one draw punishes every randomness, so that what lowers it is an average. The energy score sets the
distance of two draws from each other against it: draws must come near, and differ from each other as much as from what
is real.

What is compared is not how loud a band is, but how much it comes and goes. A decoder is never quite sure of the level
of a tone, and where levels are compared, noise in place of the tone scores better, as its level is unsure too: the
tone flutters. How a band moves tells the two apart, whatever its level.

Letters in the shapes: `B` batch, `T` samples, `M` mel bands, `F` frames, `S` stretches of frames.
"""

import torch
from torch import Tensor

from sda.audio.span import silence_outside
from sda.losses.spectra import MIN_MAGNITUDE, build_filters, build_window, compute_power

NOISE_WINDOWS = (2048, 4096, 8192, 16384)
"""FFT lengths, samples, in which draws are compared. Long ones tell a tone, whose power lasts, from noise in the same
band, whose power comes and goes; in short ones, and in single bins, noise is as near to a tone as a tone whose phase
was not foretold."""
SHORTEST_WINDOW = 256
"""For sounds that are shorter than two of the others."""
HOPS = 4
"""Frames begin this part of a window apart; movement is from one frame to the next that shares nothing with it."""
N_BANDS = 128
"""Mel bands of each of them, as wide as what an ear takes together."""
STRETCH_FRAMES = 16
"""Movement is averaged over so many frames; the next stretch begins in the middle of this one."""
RANGE = 9.2
"""Natural log of magnitudes: what is 80 dB below the loudest band and frame of the target counts as no quieter."""
LEAST_MOVEMENT = 0.03
"""Bands that move by less (natural log, 0.26 dB) stand still: none is heard to."""


def list_noise_windows(n_samples: int) -> tuple[int, ...]:
    """Those of `NOISE_WINDOWS` in which a chunk of this length has any movement, or one that is short enough.

    >>> list_noise_windows(96000), list_noise_windows(6000), list_noise_windows(1200), list_noise_windows(100)
    ((2048, 4096, 8192, 16384), (2048,), (512,), (256,))
    """
    fitting = tuple(window for window in NOISE_WINDOWS if 2 * window <= n_samples)
    return fitting or (max(SHORTEST_WINDOW, 2 ** ((n_samples // 2).bit_length() - 1)),)


def score_movement(draws: Tensor, target: Tensor, samples: Tensor, sample_rate_hz: int, window: int) -> Tensor:
    """The energy score of two draws: `½ · (d(x, y) + d(x, y′) − d(y, y′))`, never below 0. → `[B]`.

    `d` is the mean absolute difference of the logarithms of how much each mel band moves, a mean of the absolute
    change of its log power over a stretch of frames. For draws that are alike, the score is the distance; on average no
    draws score lower than those whose movement is distributed, in every band and stretch, as the target's is. Sounds
    that are too short to move score 0.

    Args:
        draws: two of each item, independent of each other, `[2, B, T]`, or longer.
        target: what they were made from, `[B, T]`.
        samples: where in it the sound lies, `[B, 2]`.
        window: FFT length, one of `list_noise_windows`.

    Reference:
        Gneiting & Raftery, "Strictly Proper Scoring Rules, Prediction, and Estimation", 2007, sections 4.2 and 4.3;
        Gritsenko et al., "A Spectral Energy Distance for Parallel Speech Synthesis", NeurIPS 2020.
    """
    every = silence_outside(torch.cat([*draws[:, :, : target.shape[1]], target]), samples.repeat(3, 1))
    # Whole frames alone: where a chunk begins and ends it is cut off, which sounds like a click.
    every = torch.nn.functional.pad(every, (0, max(0, 2 * window - target.shape[1])))
    power = compute_power(every, build_window(window, target.device), window // HOPS)  # [3 · B, F, N]
    filters = build_filters(sample_rate_hz, window, target.device, N_BANDS)
    bands = (filters @ power.transpose(1, 2)).transpose(1, 2)
    logs = 0.5 * bands.clamp(min=MIN_MAGNITUDE**2).log()
    quietest = logs[-len(target) :].amax(dim=(1, 2)) - RANGE  # [B]
    logs = torch.maximum(logs, quietest.repeat(3)[:, None, None])
    starts = torch.arange(logs.shape[1], device=target.device) * (window // HOPS)
    inside = (starts < samples[:, 1:]) & (starts + window > samples[:, :1])
    known = (inside[:, HOPS:] & inside[:, :-HOPS]).to(logs.dtype)  # [B, F − HOPS]
    moved = (logs[:, HOPS:] - logs[:, :-HOPS]).abs().transpose(1, 2)
    share = _average(known[:, None])  # [B, 1, S]
    movement = _average(moved * known.repeat(3, 1)[:, None]) / share.repeat(3, 1, 1).clamp(min=1e-6)
    first, second, real = (movement + LEAST_MOVEMENT).log().chunk(3)
    score = (first - real).abs() + (second - real).abs() - (first - second).abs()
    total = (0.5 * score * share).sum(dim=(1, 2)) / score.shape[1]
    return total / share.sum(dim=(1, 2)).clamp(min=1e-6)


def _average(frames: Tensor) -> Tensor:
    """Means over overlapping stretches of frames. `[B, M, F]` → `[B, M, S]`."""
    length = min(STRETCH_FRAMES, frames.shape[2])
    return torch.nn.functional.avg_pool1d(frames, length, max(1, length // 2))
