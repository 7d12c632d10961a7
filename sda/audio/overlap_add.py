"""Inverse STFT: from spectra of overlapping frames to one waveform, as a layer that gradients flow through.

Letters in the shapes: `B` batch, `F` frames, `T` samples, `H` samples from frame to frame.
"""

import torch
from torch import Tensor

MIN_WEIGHT = 1e-3
"""Sum of squared windows below which a sample is not scaled up further; met only beyond the first and last frames."""


def inverse_stft(spectra: Tensor, window: Tensor, hop_length: int, n_samples: int) -> Tensor:
    """Turn spectra of frames that lie around samples 0, H, 2H … into the waveform that fits them best.

    Every sample is the least-squares estimate from all frames that cover it, so that frames cut out of a waveform
    give it back exactly.

    Args:
        window: of the frames, `[n_fft]`; `n_fft` is a multiple of the hop.

    Shape:
        spectra `[B, F, n_fft // 2 + 1]`, complex, output `[B, n_samples]`; samples that no frame covers are zero.

    Reference:
        Griffin & Lim, "Signal Estimation from Modified Short-Time Fourier Transform", 1984, equation 6.
    """
    n_fft, n_frames = len(window), spectra.shape[1]
    frames = torch.fft.irfft(spectra, n=n_fft) * window
    summed = overlap_add(frames, hop_length)
    weight = overlap_add(window.square().expand(1, n_frames, n_fft), hop_length)
    waveform = (summed / weight.clamp(min=MIN_WEIGHT))[:, n_fft // 2 : n_fft // 2 + n_samples]
    return torch.nn.functional.pad(waveform, (0, n_samples - waveform.shape[1]))


def overlap_add(frames: Tensor, hop_length: int) -> Tensor:
    """Add up frames, each a hop later than the one before. `[B, F, n_fft]` → `[B, (F - 1) · H + n_fft]`.

    >>> overlap_add(torch.ones(1, 3, 4), 2).int().tolist()
    [[1, 1, 2, 2, 2, 2, 1, 1]]
    """
    n_items, n_frames, n_fft = frames.shape
    n_overlapping = n_fft // hop_length
    pieces = frames.reshape(n_items, n_frames, n_overlapping, hop_length)
    # Sums of a few shifted copies: on a CPU many times quicker than torch's general `fold`.
    shifted = [
        torch.nn.functional.pad(pieces[:, :, place], (0, 0, place, n_overlapping - 1 - place))
        for place in range(n_overlapping)
    ]
    total = shifted[0]
    for other in shifted[1:]:
        total = total + other
    return total.reshape(n_items, -1)
