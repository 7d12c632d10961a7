"""Mel inversion: from a log-mel spectrogram to sound, by non-negative least squares, then fast Griffin-Lim.

Letters in the shapes: `B` batch, `M` mel bands, `K = n_fft // 2 + 1` frequency bins, `F` frames, `T` samples.
"""

from collections.abc import Iterable, Iterator

import torch
from torch import Tensor

from sda.audio.mel import LogMel, mirror_ends
from sda.audio.stretches import cut_stretches

N_ITERATIONS = 64
MOMENTUM = 0.99
STRETCH_CONTEXTS = 4
"""A long sound's stretches are so many times as long as what is computed along on either side: 11 s at 48 kHz."""


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
    n_iterations: int = N_ITERATIONS,
    seed: int = 0,
) -> Tensor:
    """A waveform whose STFT magnitude is close to `magnitude`, from random phases drawn with `seed`.

    Shape:
        magnitude `[B, K, F]`, output `[B, n_samples]`.

    Reference:
        Perraudin, Balazs & Søndergaard, "A fast Griffin-Lim algorithm", WASPAA 2013.
    """
    phase = torch.rand(magnitude.shape, generator=torch.Generator().manual_seed(seed))
    return _improve(
        magnitude, phase, n_fft=n_fft, hop_length=hop_length, n_samples=n_samples, n_iterations=n_iterations
    )


def _improve(
    magnitude: Tensor,
    phase: Tensor,
    *,
    n_fft: int,
    hop_length: int,
    n_samples: int,
    n_iterations: int = N_ITERATIONS,
) -> Tensor:
    """Griffin-Lim from phases `[B, K, F]`, in turns."""
    window = torch.hann_window(n_fft, device=magnitude.device)
    phase = phase.to(magnitude.device) * (2.0 * torch.pi)
    angles = torch.polar(torch.ones_like(phase), phase)
    previous = torch.zeros_like(angles)
    for _ in range(n_iterations):
        waveform = torch.istft(magnitude * angles, n_fft, hop_length, window=window, length=n_samples)
        mirrored = mirror_ends(waveform, n_fft // 2)
        rebuilt = torch.stft(mirrored, n_fft, hop_length, window=window, center=False, return_complex=True)
        angles = rebuilt + MOMENTUM * (rebuilt - previous)
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


def log_mel_to_stretches(log_mel: Iterable[Tensor], features: LogMel, n_frames: int, seed: int = 0) -> Iterator[Tensor]:
    """`log_mel_to_waveform` for one sound of any length: the same samples to rounding, in memory that length is not in.

    Args:
        log_mel: blocks `[M, F]` of one spectrogram.
        n_frames: in all blocks.

    Yields:
        Blocks of `n_frames · hop_length - 1` samples in all.
    """
    n_fft, hop = features.n_fft, features.hop_length
    # In a turn, what a frame hears comes from the frames that overlap it.
    context = (N_ITERATIONS + 1) * -(-n_fft // hop)
    length = STRETCH_CONTEXTS * context
    phases = _Phases(len(features.filters[0]), n_frames, seed)
    begun = (_begin(block, features, phases) for block in log_mel)
    n_left = n_frames * hop - 1
    for piece, start in cut_stretches(begun, length, context, context):
        magnitude, phase = piece[None].chunk(2, dim=1)
        waveform = _improve(magnitude, phase, n_fft=n_fft, hop_length=hop, n_samples=piece.shape[1] * hop - 1)[0]
        own = waveform[start * hop :][: min(length * hop, n_left)]
        n_left -= len(own)
        yield own.cpu()


def _begin(log_mel: Tensor, features: LogMel, phases: "_Phases") -> Tensor:
    """Magnitudes, and below them the phases they begin with: `[M, F]` → `[2 · K, F]`."""
    magnitude = invert_mel(log_mel[None].exp(), features.filters)[0]
    return torch.cat([magnitude, phases.take(magnitude.shape[1]).to(magnitude.device)])


class _Phases:
    """The random phases of `griffin_lim`, a few frames at a time.

    They are drawn bin after bin, each for all frames. The generator's state before every bin is kept: 5 kB each.
    """

    def __init__(self, n_bins: int, n_frames: int, seed: int):
        self._generator = torch.Generator().manual_seed(seed)
        self._states = []
        for _ in range(n_bins):
            self._states.append(self._generator.get_state())
            torch.rand(n_frames, generator=self._generator)

    def take(self, n_frames: int) -> Tensor:
        """Those of the next frames, in turns, `[K, n_frames]`."""
        rows = []
        for place, state in enumerate(self._states):
            self._generator.set_state(state)
            rows.append(torch.rand(n_frames, generator=self._generator))
            self._states[place] = self._generator.get_state()
        return torch.stack(rows)
