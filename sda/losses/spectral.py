"""Distances between waveforms that are heard in spectra of many resolutions, and the objective made of them.

Letters in the shapes: `B` batch, `T` samples, `N` frequency bins, `M` mel bands, `F` frames, `E` kinds of error.
"""

import warnings
from collections.abc import Callable, Mapping
from functools import cache

import torch
import torchaudio
from torch import Tensor

from sda.audio.span import Span, find_frames, mean_inside, silence_outside, take_whole
from sda.losses.objective import Errors, LossTerms, describe_posterior
from sda.models.latents import Reconstruction

WINDOWS = (32, 64, 128, 256, 512, 1024, 2048)
"""FFT lengths, samples; the hop is a quarter of each, and there is a mel band for every 6.4 samples."""

WINDOW_WEIGHTS = (1.0, 1.0, 1.0, 1.0, 2.0, 3.0, 4.0)
"""How much a window counts: long ones hear partials and the level of textures, short ones hear attacks."""

DRAWN_WINDOWS = 2
"""Windows that a training step listens with; a few drawn by weight have the gradient of all on average."""

MIN_MAGNITUDE = 1e-5
NO_POWER = 1e-12
"""Added to every power: the root has a finite gradient on digital silence."""
QUIETEST_NORM = 1e-2
"""Added to the norm that spectral convergence divides by: near silence it is not held against silence."""
MIN_DISTANCE = 1e-3
"""Added to the weighted sum of distances so that its logarithm stays finite."""

Distance = Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]
"""Magnitudes of output and target, `[B, N, F]`, mel filters `[M, N]`, and which frames are sound, `[B, F]`, to one
number each, `[B]`."""


def mel_distance(output: Tensor, target: Tensor, filters: Tensor, frames: Tensor) -> Tensor:
    """Mean absolute difference of log-mel magnitudes, natural log. → `[B]`.

    Reference:
        Kumar et al., "High-Fidelity Audio Compression with Improved RVQGAN", NeurIPS 2023, section 3.4.
    """
    return mean_inside((_log(filters @ output) - _log(filters @ target)).abs(), frames)


def convergence_distance(output: Tensor, target: Tensor, filters: Tensor, frames: Tensor) -> Tensor:
    """Norm of the difference of magnitudes over the target's norm: hears peaks above all. → `[B]`.

    Reference:
        Arik, Jun & Diamos, "Fast Spectrogram Inversion using Multi-head Convolutional Neural Networks", 2018.
    """
    inside = frames[:, None].to(target.dtype)
    difference = torch.linalg.vector_norm((output - target) * inside + NO_POWER, dim=(1, 2))
    distance: Tensor = difference / (torch.linalg.vector_norm(target * inside, dim=(1, 2)) + QUIETEST_NORM)
    return distance


def log_magnitude_distance(output: Tensor, target: Tensor, filters: Tensor, frames: Tensor) -> Tensor:
    """Mean absolute difference of log magnitudes, natural log: hears every bin alike. → `[B]`.

    Reference:
        Yamamoto, Song & Kim, "Parallel WaveGAN", ICASSP 2020, equation 6.
    """
    return mean_inside((_log(output) - _log(target)).abs(), frames)


DISTANCES: dict[str, Distance] = {
    "mel": mel_distance,
    "convergence": convergence_distance,
    "log_magnitude": log_magnitude_distance,
}
"""What the names of weights in the configuration stand for, beside `waveform`."""


class SpectralObjective:
    """The logarithm of a weighted sum of distances, and the KL of the latents beside it.

    The logarithm of a mean absolute error is the negative log-likelihood of a Laplace distribution whose scale fits the
    errors best, up to a constant: so losses of different sounds and models are compared as ratios of their errors.

    Args:
        sample_rate_hz: of the waveforms.
        weights: of the distances, by their names in `DISTANCES`, and of `waveform`, the mean absolute difference of
            samples relative to the target's; 0 leaves a distance out.
        kl_weight: weight of the mean KL of a latent's dimension, in nats, beside the logarithm.
        free_bits: KL that a dimension may use on average without cost, nats per latent.

    Raises:
        ValueError: a name is unknown, or nothing is left.
    """

    def __init__(self, *, sample_rate_hz: int, weights: Mapping[str, float], kl_weight: float, free_bits: float):
        unknown = set(weights) - {*DISTANCES, "waveform"}
        self.names = [name for name, weight in weights.items() if weight > 0]
        if unknown or not self.names:
            raise ValueError(f"weights of distances: got {dict(weights)}, known are {[*DISTANCES, 'waveform']}")
        self.sample_rate_hz = sample_rate_hz
        self.weights = weights
        self.kl_weight = kl_weight
        self.free_bits = free_bits

    def measure_each(
        self, result: Reconstruction, waveform: Tensor, span: Span | None = None, *, draw: bool = False
    ) -> Errors:
        """The distances of each chunk, weighted means over the windows, or over a few that are drawn.

        What the network gives outside of the sound is not listened to, and counts as silence.

        Shape:
            waveform `[B, T]`; the result's output is at least as long.
        """
        n_samples = waveform.shape[1]
        samples = take_whole(waveform) if span is None else span.samples
        target = silence_outside(waveform, samples)
        output = silence_outside(result.output[:, :n_samples], samples)
        spectral = [name for name in self.names if name != "waveform"]
        windows = _draw_windows() if draw else _list_windows()
        total: dict[str, Tensor] = {}
        for window, share in windows.items() if spectral else ():
            filters = build_filters(self.sample_rate_hz, window, output.device)
            heard, meant = compute_magnitude(output, window), compute_magnitude(target, window)
            frames = find_frames(samples, window // 4, meant.shape[2])
            for name in spectral:
                distance = share * DISTANCES[name](heard, meant, filters, frames)
                total[name] = total[name] + distance if name in total else distance
        if "waveform" in self.names:
            total["waveform"] = waveform_distance(output, target, samples)
        distances = torch.stack([total[name] for name in self.names], dim=1)
        return Errors(distances=distances, **describe_posterior(result, span))

    def score(self, errors: Errors) -> LossTerms:
        """The objective's terms for errors averaged over a batch, over several, or over each of many drawn ones."""
        weights = torch.tensor([self.weights[name] for name in self.names]).to(errors.distances)
        recon = (errors.distances @ weights + MIN_DISTANCE).log()
        return LossTerms(recon, kl=self.kl_weight * errors.kl_by_dimension.clamp(min=self.free_bits).mean(dim=-1))


def _list_windows() -> dict[int, float]:
    """All windows, and the share of each."""
    return {window: weight / sum(WINDOW_WEIGHTS) for window, weight in zip(WINDOWS, WINDOW_WEIGHTS, strict=True)}


def _draw_windows() -> dict[int, float]:
    """A few windows, drawn by weight, and the share of each."""
    drawn = torch.multinomial(torch.tensor(WINDOW_WEIGHTS), DRAWN_WINDOWS, replacement=True).tolist()
    return {WINDOWS[place]: drawn.count(place) / DRAWN_WINDOWS for place in drawn}


def waveform_distance(output: Tensor, target: Tensor, samples: Tensor) -> Tensor:
    """Mean absolute difference of samples over the target's mean, phases included. Two `[B, T]` → `[B]`.

    Args:
        samples: where the sound lies, `[B, 2]`; both are silent elsewhere.
    """
    n_samples = samples[:, 1] - samples[:, 0]
    return (output - target).abs().sum(dim=1) / (target.abs().sum(dim=1) + MIN_DISTANCE * n_samples)


def compute_magnitude(waveform: Tensor, n_fft: int) -> Tensor:
    """Magnitudes of frames a quarter of their length apart, with a gradient on silence too. `[B, T]` → `[B, N, F]`."""
    window = _build_window(n_fft, waveform.device)
    spectrum = torch.stft(waveform, n_fft, n_fft // 4, window=window, pad_mode="constant", return_complex=True)
    return (spectrum.real.square() + spectrum.imag.square() + NO_POWER).sqrt()


def _log(magnitude: Tensor) -> Tensor:
    return magnitude.clamp(min=MIN_MAGNITUDE).log()


@cache
def _build_window(n_fft: int, device: torch.device) -> Tensor:
    return torch.hann_window(n_fft, device=device)


@cache
def build_filters(sample_rate_hz: int, n_fft: int, device: torch.device) -> Tensor:
    """Mel filters for one of the windows, without those that no frequency falls into. → `[M, N]`."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of empty filters, which are dropped
        filters: Tensor = torchaudio.functional.melscale_fbanks(
            n_fft // 2 + 1, 0.0, sample_rate_hz / 2, round(n_fft / 6.4), sample_rate_hz, "slaney", "slaney"
        ).T
    return filters[filters.sum(dim=1) > 0].contiguous().to(device)
