"""Distances between waveforms that are heard in spectra of many resolutions, and the objective made of them.

Letters in the shapes: `B` batch, `T` samples, `N` frequency bins, `M` mel bands, `F` frames, `E` kinds of error.
"""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from sda.audio.mel import AudioFeatures
from sda.audio.span import Span, find_frames, mean_inside, silence_outside, take_whole
from sda.losses.energy import list_noise_windows, score_movement
from sda.losses.objective import LossComponents, LossTerms, describe_posterior
from sda.losses.spectra import (
    NO_POWER,
    MelFilters,
    build_filters,
    compute_magnitude,
    draw_windows,
    list_windows,
    take_log,
)
from sda.models.latents import Reconstruction

QUIETEST_NORM = 1e-2
"""Added to the norm that spectral convergence divides by: near silence it is not held against silence."""
MIN_DISTANCE = 1e-3
"""Added to the weighted sum of distances so that its logarithm stays finite."""

Distance = Callable[[Tensor, Tensor, MelFilters, Tensor], Tensor]
"""Magnitudes of output and target, `[B, N, F]`, mel filters `[M, N]`, and which frames are sound, `[B, F]`, to one
number each, `[B]`."""


def mel_distance(output: Tensor, target: Tensor, filters: MelFilters, frames: Tensor) -> Tensor:
    """Mean absolute difference of log-mel magnitudes, natural log. → `[B]`.

    Reference:
        Kumar et al., "High-Fidelity Audio Compression with Improved RVQGAN", NeurIPS 2023, section 3.4.
    """
    return mean_inside((take_log(filters @ output) - take_log(filters @ target)).abs(), frames)


def convergence_distance(output: Tensor, target: Tensor, filters: MelFilters, frames: Tensor) -> Tensor:
    """Norm of the difference of magnitudes over the target's norm: hears peaks above all. → `[B]`.

    Reference:
        Arik, Jun & Diamos, "Fast Spectrogram Inversion using Multi-head Convolutional Neural Networks", 2018.
    """
    inside = frames[:, None].to(target.dtype)
    difference = torch.linalg.vector_norm((output - target) * inside + NO_POWER, dim=(1, 2))
    distance: Tensor = difference / (torch.linalg.vector_norm(target * inside, dim=(1, 2)) + QUIETEST_NORM)
    return distance


def log_magnitude_distance(output: Tensor, target: Tensor, filters: MelFilters, frames: Tensor) -> Tensor:
    """Mean absolute difference of log magnitudes, natural log: hears every bin alike. → `[B]`.

    Reference:
        Yamamoto, Song & Kim, "Parallel WaveGAN", ICASSP 2020, equation 6.
    """
    return mean_inside((take_log(output) - take_log(target)).abs(), frames)


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
    ) -> LossComponents:
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
        windows = draw_windows() if draw else list_windows()
        total: dict[str, Tensor] = {}
        for window, share in windows.items() if spectral else ():
            filters = build_filters(self.sample_rate_hz, window, output.device)
            made, meant = compute_magnitude(output, window), compute_magnitude(target, window)
            frames = find_frames(samples, window // 4, meant.shape[2])
            for name in spectral:
                distance = share * DISTANCES[name](made, meant, filters, frames)
                total[name] = total[name] + distance if name in total else distance
        if "waveform" in self.names:
            total["waveform"] = waveform_distance(output, target, samples)
        distances = torch.stack([total[name] for name in self.names], dim=1)
        return LossComponents(distances=distances, **describe_posterior(result, span))

    def score(self, errors: LossComponents) -> LossTerms:
        """The objective's terms for errors averaged over a batch, over several, or over each of many drawn ones."""
        weights = torch.tensor([self.weights[name] for name in self.names]).to(errors.distances)
        recon = (errors.distances @ weights + MIN_DISTANCE).log()
        return LossTerms(recon, kl=self.kl_weight * errors.kl_by_dimension.clamp(min=self.free_bits).mean(dim=-1))

    def score_noise(self, result: Reconstruction, inputs: AudioFeatures) -> Tensor:
        """The energy score of what was drawn, in a window that is drawn too.

        Not its logarithm: a mean over draws is what makes the score a proper one.
        """
        if result.draws is None:
            return inputs.level.new_zeros(())
        n_drawn = result.draws.shape[1]
        waveform, samples, weight = inputs.waveform[:n_drawn], inputs.samples[:n_drawn], inputs.weight[:n_drawn]
        windows = list_noise_windows(waveform.shape[1])
        window = windows[int(torch.randint(len(windows), ()))]
        scores = score_movement(result.draws, waveform, samples, self.sample_rate_hz, window)
        return (scores * weight).sum() / weight.sum()


def waveform_distance(output: Tensor, target: Tensor, samples: Tensor) -> Tensor:
    """Mean absolute difference of samples over the target's mean, phases included. Two `[B, T]` → `[B]`.

    Args:
        samples: where the sound lies, `[B, 2]`; both are silent elsewhere.
    """
    n_samples = samples[:, 1] - samples[:, 0]
    return (output - target).abs().sum(dim=1) / (target.abs().sum(dim=1) + MIN_DISTANCE * n_samples)
