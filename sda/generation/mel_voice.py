"""The voice of a network that draws spectrograms: points half a chunk apart, and Griffin-Lim.

Letters in the shapes: `B` batch, `T` samples, `K` points, `D` latent dimensions, `M` mel bands, `F` frames of a chunk.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from sda.audio.inversion import log_mel_to_waveform
from sda.audio.mel import Heard, LogMel
from sda.audio.span import find_sound, silence_outside, take_span
from sda.generation.voice import Voice
from sda.models.latents import Posterior
from sda.models.mel_vae import MelVAE

HOPS_BETWEEN_DRAWS = 4
"""A generated sound moves from one drawn latent to the next over this many half chunks."""


class MelVoice(Voice):
    """A path's points are decoded to chunks that overlap by half, cross-faded on the logarithmic scale, and turned
    into a waveform once, so that there are no seams."""

    def __init__(self, model: MelVAE, features: LogMel):
        self.model = model
        self.features = features
        self.hop_samples = model.n_frames // 2 * features.hop_length

    @torch.no_grad()
    def reconstruct(self, waveforms: Tensor) -> Tensor:
        output = self.model.eval()(self._hear(waveforms)).output
        rebuilt = self._to_sound(self.model.standardise.invert(output), waveforms.shape[1])
        return silence_outside(rebuilt, take_span(find_sound(waveforms.cpu())))

    @torch.no_grad()
    def describe(self, waveforms: Tensor) -> Posterior:
        posterior = self.model.eval().encode(self._hear(waveforms))
        return Posterior(*(values.cpu()[:, :, None] for values in posterior))

    @torch.no_grad()
    def encode(self, waveform: Tensor) -> Tensor:
        n_chunk = (self.model.n_frames - 1) * self.features.hop_length
        n_points = self.count_points(len(waveform))
        padded = torch.nn.functional.pad(waveform, (0, (n_points - 1) * self.hop_samples + n_chunk - len(waveform)))
        return self.describe(padded.unfold(0, n_chunk, self.hop_samples)).mean[:, :, 0].T

    @torch.no_grad()
    def render(self, path: Tensor, n_samples: int) -> Tensor:
        chunks = self.model.eval().decode(path.T.to(self.features.window.device))  # [K, M, F]
        n_points, n_mels, n_frames = chunks.shape
        hop = n_frames // 2
        fade = torch.minimum(torch.arange(1, n_frames + 1), torch.arange(n_frames, 0, -1)).to(chunks)
        total = torch.zeros(n_mels, (n_points - 1) * hop + n_frames, device=chunks.device)
        weight = torch.zeros(total.shape[1], device=chunks.device)
        for index, chunk in enumerate(chunks):
            total[:, index * hop : index * hop + n_frames] += fade * chunk
            weight[index * hop : index * hop + n_frames] += fade
        log_mel = total / weight
        return self._to_sound(log_mel[None], log_mel.shape[1] * self.features.hop_length - 1)[0, :n_samples]

    def count_points(self, n_samples: int) -> int:
        hop = self.model.n_frames // 2
        n_missing = self.features.n_frames(n_samples) - self.model.n_frames
        return 1 + max(0, -(-n_missing // hop))

    @torch.no_grad()
    def fit(self, training: Sequence[Heard]) -> None:
        posteriors = [self.model.eval().encode(batch) for batch in training]
        self.model.density.fit(Posterior(*(torch.cat(parts) for parts in zip(*posteriors, strict=True))))

    @torch.no_grad()
    def draw(self, n_points: int, seed: int) -> Tensor:
        """A random walk through the latent density.

        Between two independent draws of noise the path follows the circle `cos·a + sin·b`, whose every point is
        itself standard normal, so that the sounds on the way are as likely as those drawn.
        """
        generator = torch.Generator().manual_seed(seed)
        n_draws = 2 + (n_points - 1) // HOPS_BETWEEN_DRAWS
        draws = torch.randn(n_draws, self.model.latent_dim, generator=generator)
        position = torch.arange(n_points) / HOPS_BETWEEN_DRAWS
        left = position.floor().long()
        angle = (position - left)[:, None] * (torch.pi / 2)
        noise = angle.cos() * draws[left] + angle.sin() * draws[left + 1]
        latents: Tensor = self.model.density(noise.to(self.model.density.mean.device))
        return latents.T.cpu()

    def _hear(self, waveforms: Tensor) -> Heard:
        return self.features.hear(waveforms.to(self.features.window.device))

    def _to_sound(self, log_mel: Tensor, n_samples: int) -> Tensor:
        return log_mel_to_waveform(log_mel, self.features, n_samples).cpu()
