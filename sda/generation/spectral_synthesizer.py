"""The synthesizer of a network that writes waveforms: long sounds stretch by stretch, as if in one piece.

A stretch is computed together with as much on either side as its samples depend on, and that is cut off again: what is
put together is the same, to rounding, as what the network gives for the whole.

Letters in the shapes: `B` batch, `T` samples, `K` points, `D` latent dimensions.
"""

from collections.abc import Iterable, Iterator

import torch
from torch import Tensor

from sda.audio.mel import DB_PER_NEPER, AudioFeatures, LogMel
from sda.audio.noise import draw_noise
from sda.audio.span import find_sound, silence_outside, take_span
from sda.audio.stretches import cut_stretches, extract_stretches
from sda.generation.synthesizer import Synthesizer
from sda.models.latents import Posterior
from sda.models.priors.mosaic import Mosaic
from sda.models.priors.prior import Manner, Prior
from sda.models.spectral_vae import SpectralVAE

STRETCH_POINTS = 256
"""Latents computed at a time: eleven seconds, about 100 MB."""


class SpectralSynthesizer(Synthesizer):
    """A path has a point for every latent.

    Args:
        prior: where new paths come from; a mosaic if not given.
        stretch_points: latents computed at a time; more take more memory.
    """

    def __init__(
        self,
        model: SpectralVAE,
        features: LogMel,
        prior: Prior | None = None,
        manner: Manner | None = None,
        stretch_points: int = STRETCH_POINTS,
    ):
        self.model: SpectralVAE = model
        self.features = features
        self.prior = Mosaic(model.latent_dim) if prior is None else prior
        self.manner = Manner() if manner is None else manner
        self.hop_samples = model.hop_of_latents
        self.n_loudness = model.stride
        self.writes_noise = model.noise_gate is not None
        self.stretch_points = stretch_points

    @property
    def db_of_loudness(self) -> float:
        return DB_PER_NEPER * float(self.model.standardise_level.deviation[0, 0])

    @torch.no_grad()
    def reconstruct(self, waveforms: Tensor, seed: int | None = None) -> Tensor:
        latents = self.model.eval().encode(self._extract(waveforms)).mean
        noise = None
        if seed is not None and self.writes_noise:
            noise = torch.stack([self._draw_noise(seed + item, 0, latents.shape[2]) for item in range(len(latents))])
        output: Tensor = self.model.decode(latents, noise)[:, : waveforms.shape[1]].cpu()
        return silence_outside(output, take_span(find_sound(waveforms.cpu())))

    @torch.no_grad()
    def posterior(self, waveforms: Tensor) -> Posterior:
        return Posterior(*(values.cpu() for values in self.model.eval().encode(self._extract(waveforms))))

    @torch.no_grad()
    def encode_stretches(self, waveform: Iterable[Tensor]) -> Iterator[Tensor]:
        stride, length = self.model.stride, self.stretch_points
        for heard, start in extract_stretches(waveform, self.features, stride * length, self.model.context_frames):
            yield self.model.eval().encode(heard).mean[0][:, start // stride :][:, :length].cpu()

    @torch.no_grad()
    def decode_stretches(
        self, path: Iterable[Tensor], n_samples: int, seed: int | None = None, first: int = 0
    ) -> Iterator[Tensor]:
        length, context, hop = self.stretch_points, self.model.context, self.hop_samples
        n_left, n_done = n_samples, 0
        path = path if self.steering is None else self.steering.change(path, first)
        for piece, start in cut_stretches(path, length, context, context):
            latents = piece[None].to(self.features.window.device)
            noise = more_noise = None
            if seed is not None and self.writes_noise:
                noise = self._draw_noise(seed, n_done - start, piece.shape[1])[None]
                if self.steering is not None:
                    places = torch.arange(piece.shape[1]) + (first + n_done - start)
                    more_noise = self.steering.list_more_noise(places)[None].to(latents.device)
            sound = self.model.eval().decode(latents, noise, more_noise)[0]
            own = sound[start * hop :][: min(length * hop, n_left)].cpu()
            if self.steering is not None:
                own = self.steering.amplify(own, first + n_done, hop)
            n_left, n_done = n_left - len(own), n_done + length
            yield own

    def count_points(self, n_samples: int) -> int:
        return -(-self.features.n_frames(n_samples) // self.model.stride)

    @torch.no_grad()
    def weigh_dimensions(self) -> Tensor:
        """Log-mel spectrograms change by so much, as a root mean square over bands and the frames of a latent."""
        model = self.model
        of_band = model.standardise.deviation[:, 0].repeat_interleave(model.stride)  # bands before frames, as patches
        timbre = (model.synthesis.weight * of_band[:, None]).square().mean(dim=0).sqrt()
        loudness = model.standardise_level.deviation[0, 0] / model.stride**0.5
        return torch.cat([loudness.expand(model.stride), timbre]).cpu()

    def _draw_noise(self, seed: int, first: int, n_points: int) -> Tensor:
        """What the noise in the sound of some latents is made of, from place `first` on their path on."""
        noise = draw_noise(seed, first * self.hop_samples, self.model.count_noise(n_points))
        return noise.to(self.features.window.device)

    def _extract(self, waveforms: Tensor) -> AudioFeatures:
        return self.features.extract(waveforms.to(self.features.window.device))
