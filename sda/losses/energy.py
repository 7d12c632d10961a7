"""How well random draws of a sound foretell it: the energy score, which is lowest for draws as random as the sound.

A distance to one draw punishes every randomness, so that what lowers it is an average. The energy score sets the
distance of two draws from each other against it: draws must come near, and differ from each other as much as from what
is real.

Letters in the shapes: `B` batch, `T` samples, `M` mel bands, `F` frames.
"""

import torch
from torch import Tensor

from sda.audio.span import mean_inside, silence_outside
from sda.losses.spectra import MIN_MAGNITUDE, build_filters, build_window

NOISE_WINDOWS = (2048, 4096, 8192, 16384)
"""FFT lengths, samples, in which draws are compared. Long ones tell a tone, whose power lasts, from noise in the same
band, whose power comes and goes; in short ones, and in single bins, noise is as near to a tone as a tone whose phase
was not foretold."""
HOPS = 4
"""Frames begin this part of a window apart."""
N_BANDS = 128
"""Mel bands of each of them, as wide as what an ear takes together."""


def score_energy(draws: Tensor, target: Tensor, samples: Tensor, sample_rate_hz: int, window: int) -> Tensor:
    """The energy score of two draws: `½ · (d(x, y) + d(x, y′) − d(y, y′))`, never below 0. → `[B]`.

    `d` is the mean absolute difference of the logarithms (natural, of magnitudes) of the power in mel bands. For draws
    that are alike, the score is the distance; on average no draws score lower than those that are distributed, in every
    band and frame, as the target is.

    Args:
        draws: two of each item, independent of each other, `[2, B, T]`, or longer.
        target: what they were made from, `[B, T]`.
        samples: where in it the sound lies, `[B, 2]`.
        window: FFT length.

    Reference:
        Gneiting & Raftery, "Strictly Proper Scoring Rules, Prediction, and Estimation", 2007, sections 4.2 and 4.3;
        Gritsenko et al., "A Spectral Energy Distance for Parallel Speech Synthesis", NeurIPS 2020.
    """
    every = silence_outside(torch.cat([*draws[:, :, : target.shape[1]], target]), samples.repeat(3, 1))
    # Whole frames alone: where a chunk begins and ends it is cut off, which sounds like a click.
    every = torch.nn.functional.pad(every, (0, max(0, window - target.shape[1])))
    spectra = torch.fft.rfft(every.unfold(1, window, window // HOPS) * build_window(window, target.device))
    power = spectra.real.square() + spectra.imag.square()  # [3 · B, F, N]
    filters = build_filters(sample_rate_hz, window, target.device, N_BANDS)
    logs = 0.5 * (power @ filters.T).clamp(min=MIN_MAGNITUDE**2).log()
    first, second, real = logs.chunk(3)
    score = (first - real).abs() + (second - real).abs() - (first - second).abs()
    starts = torch.arange(score.shape[1], device=target.device) * (window // HOPS)
    inside = (starts < samples[:, 1:]) & (starts + window > samples[:, :1])
    return 0.5 * mean_inside(score.transpose(1, 2), inside)
