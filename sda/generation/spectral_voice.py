"""The voice of a network that writes waveforms: long sounds stretch by stretch, as if in one piece.

A stretch is computed together with as much on either side as its samples depend on, and that is cut off again: what is
put together is the same, to rounding, as what the network gives for the whole.

Letters in the shapes: `B` batch, `T` samples, `K` points, `D` latent dimensions.
"""

from collections.abc import Iterable, Iterator, Sequence

import torch
from torch import Tensor

from sda.audio.mel import Heard, LogMel
from sda.audio.span import find_latents, find_sound, silence_outside, take_span
from sda.audio.stretches import cut_stretches, hear_stretches
from sda.generation.voice import Voice
from sda.models.latents import Posterior
from sda.models.spectral_vae import SpectralVAE

FOLLOWING_POINTS = 2
"""Latents behind the end of a sound that belong to its path, 85 ms: new sound ends, too, but is not mostly silence."""
STRETCH_POINTS = 256
"""Latents computed at a time: eleven seconds, about 100 MB."""


class SpectralVoice(Voice):
    """A path has a point for every latent.

    Args:
        stretch_points: latents computed at a time; more take more memory.
    """

    def __init__(self, model: SpectralVAE, features: LogMel, stretch_points: int = STRETCH_POINTS):
        self.model = model
        self.features = features
        self.hop_samples = model.hop_of_latents
        self.stretch_points = stretch_points

    @torch.no_grad()
    def reconstruct(self, waveforms: Tensor) -> Tensor:
        output: Tensor = self.model.eval()(self._hear(waveforms)).output
        output = output[:, : waveforms.shape[1]].cpu()
        return silence_outside(output, take_span(find_sound(waveforms.cpu())))

    @torch.no_grad()
    def describe(self, waveforms: Tensor) -> Posterior:
        return Posterior(*(values.cpu() for values in self.model.eval().encode(self._hear(waveforms))))

    @torch.no_grad()
    def encode_stretches(self, waveform: Iterable[Tensor]) -> Iterator[Tensor]:
        stride, length = self.model.stride, self.stretch_points
        for heard, start in hear_stretches(waveform, self.features, stride * length, self.model.context_frames):
            yield self.model.eval().encode(heard).mean[0][:, start // stride :][:, :length].cpu()

    @torch.no_grad()
    def render_stretches(self, path: Iterable[Tensor], n_samples: int) -> Iterator[Tensor]:
        length, context, hop = self.stretch_points, self.model.context, self.hop_samples
        n_left = n_samples
        for piece, start in cut_stretches(path, length, context, context):
            sound = self.model.eval().decode(piece[None].to(self.features.window.device))[0]
            own = sound[start * hop :][: min(length * hop, n_left)].cpu()
            n_left -= len(own)
            yield own

    def count_points(self, n_samples: int) -> int:
        return -(-self.features.n_frames(n_samples) // self.model.stride)

    @torch.no_grad()
    def fit(self, training: Sequence[Heard]) -> None:
        paths = []
        for batch in training:
            latents = self.model.eval().encode(batch).mean.cpu()
            inside = find_latents(batch.frames, self.model.stride).cpu()
            for path, heard in zip(latents, inside, strict=True):
                places = heard.nonzero()[:, 0]
                paths.append(path[:, int(places[0]) : int(places[-1]) + 1 + FOLLOWING_POINTS])
        self.model.density.fit(paths)

    def draw_stretches(self, n_points: int, seed: int) -> Iterator[Tensor]:
        for points in self.model.density.walk(n_points, torch.Generator().manual_seed(seed)):
            yield points.cpu()

    def _hear(self, waveforms: Tensor) -> Heard:
        return self.features.hear(waveforms.to(self.features.window.device))
