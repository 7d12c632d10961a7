"""From a log-mel spectrogram back to sound: non-negative least squares, then fast Griffin-Lim.

Letters in the shapes: `B` batch, `M` mel bands, `K = n_fft // 2 + 1` frequency bins, `F` frames, `T` samples.
"""

import torch
from torch import Tensor

from sda.audio.mel import LogMel, mirror_ends


def invert_mel(mel: Tensor, filters: Tensor, n_iterations: int = 100) -> Tensor:
    """The non-negative magnitude spectrogram whose mel spectrogram is closest to `mel`.

    Solves `min ‖filters · x − mel‖²` with `x ≥ 0` for every frame by accelerated projected gradient steps.

    Shape:
        mel `[B, M, F]` (magnitudes, not logarithms), filters `[M, K]`, output `[B, K, F]`.

    Reference:
        Beck & Teboulle, "A Fast Iterative Shrinkage-Thresholding Algorithm", 2009, equations 4.1–4.3.
    """
    step: Tensor = 1.0 / torch.linalg.matrix_norm(filters, ord=2) ** 2
    estimate: Tensor = (torch.linalg.pinv(filters) @ mel).clamp(min=0.0)
    leading = estimate
    momentum = 1.0
    for _ in range(n_iterations):
        residual = filters @ leading - mel
        previous, estimate = estimate, (leading - step * (filters.T @ residual)).clamp(min=0.0)
        next_momentum = (1.0 + (1.0 + 4.0 * momentum**2) ** 0.5) / 2.0
        leading = estimate + (momentum - 1.0) / next_momentum * (estimate - previous)
        momentum = next_momentum
    return estimate


def griffin_lim(
    magnitude: Tensor,
    *,
    n_fft: int,
    hop_length: int,
    n_samples: int,
    n_iterations: int = 64,
    momentum: float = 0.99,
    seed: int = 0,
) -> Tensor:
    """A waveform whose STFT magnitude is close to `magnitude`, from random phases drawn with `seed`.

    Shape:
        magnitude `[B, K, F]`, output `[B, n_samples]`.

    Reference:
        Perraudin, Balazs & Søndergaard, "A fast Griffin-Lim algorithm", WASPAA 2013.
    """
    window = torch.hann_window(n_fft, device=magnitude.device)
    generator = torch.Generator().manual_seed(seed)
    phase = torch.rand(magnitude.shape, generator=generator).to(magnitude.device) * (2.0 * torch.pi)
    angles = torch.polar(torch.ones_like(phase), phase)
    previous = torch.zeros_like(angles)
    for _ in range(n_iterations):
        waveform = torch.istft(magnitude * angles, n_fft, hop_length, window=window, length=n_samples)
        mirrored = mirror_ends(waveform, n_fft // 2)
        rebuilt = torch.stft(mirrored, n_fft, hop_length, window=window, center=False, return_complex=True)
        angles = rebuilt + momentum * (rebuilt - previous)
        angles = angles / angles.abs().clamp(min=1e-16)
        previous = rebuilt
    return torch.istft(magnitude * angles, n_fft, hop_length, window=window, length=n_samples)


def log_mel_to_waveform(log_mel: Tensor, features: LogMel, n_samples: int, seed: int = 0) -> Tensor:
    """Turn log-mel spectrograms into sound without any model.

    No model that gives mel spectrograms comes to a lower log-mel error; a model that writes waveforms may do better in
    every measure that hears more than that, such as MR-STFT.

    Shape:
        log_mel `[B, M, F]`, output `[B, n_samples]`.
    """
    magnitude = invert_mel(log_mel.exp(), features.filters)
    return griffin_lim(magnitude, n_fft=features.n_fft, hop_length=features.hop_length, n_samples=n_samples, seed=seed)
