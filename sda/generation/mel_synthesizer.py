"""The synthesizer of a network that draws spectrograms: points half a chunk apart, and Griffin-Lim.

Letters in the shapes: `B` batch, `T` samples, `K` points, `D` latent dimensions, `M` mel bands, `F` frames of a chunk.
"""

from collections.abc import Iterable, Iterator

import torch
from torch import Tensor

from sda.audio.inversion import log_mel_to_stretches, log_mel_to_waveform
from sda.audio.mel import AudioFeatures, LogMel
from sda.audio.span import find_sound, silence_outside, take_span
from sda.audio.stretches import cut_stretches
from sda.generation.synthesizer import Synthesizer
from sda.models.latents import Posterior
from sda.models.mel_vae import MelVAE
from sda.models.priors.density import Density
from sda.models.priors.prior import Manner, Prior

BATCH_POINTS = 16
"""Chunks computed once more beside each stretch: in a batch of a few a processor rounds otherwise than in a large one,
and Griffin-Lim makes much of it."""

STRETCH_POINTS = 32
"""Chunks encoded or decoded at a time: sixteen seconds, about 100 MB."""


class MelSynthesizer(Synthesizer):
    """A path's points are decoded to chunks that overlap by half, cross-faded on the logarithmic scale, and turned
    into a waveform as one spectrogram, so that there are no seams.

    Args:
        prior: where new paths come from; a density if not given.
        stretch_points: chunks encoded or decoded at a time; more take more memory.
    """

    def __init__(
        self,
        model: MelVAE,
        features: LogMel,
        prior: Prior | None = None,
        manner: Manner | None = None,
        stretch_points: int = STRETCH_POINTS,
    ):
        self.model: MelVAE = model
        self.features = features
        self.prior = Density(model.latent_dim) if prior is None else prior
        self.manner = Manner() if manner is None else manner
        self.hop_samples = model.n_frames // 2 * features.hop_length
        self.stretch_points = stretch_points

    @torch.no_grad()
    def reconstruct(self, waveforms: Tensor, seed: int | None = None) -> Tensor:
        output = self.model.eval()(self._extract(waveforms)).output
        rebuilt = self._to_sound(self.model.standardise.invert(output), waveforms.shape[1])
        return silence_outside(rebuilt, take_span(find_sound(waveforms.cpu())))

    @torch.no_grad()
    def posterior(self, waveforms: Tensor) -> Posterior:
        posterior = self.model.eval().encode(self._extract(waveforms))
        return Posterior(*(values.cpu()[:, :, None] for values in posterior))

    @torch.no_grad()
    def encode_stretches(self, waveform: Iterable[Tensor]) -> Iterator[Tensor]:
        n_chunk = (self.model.n_frames - 1) * self.features.hop_length
        overlap = n_chunk - self.hop_samples
        n_heard, n_told = 0, 0

        def padded() -> Iterator[Tensor]:
            nonlocal n_heard
            for block in waveform:
                n_heard += len(block)
                yield block
            yield torch.zeros(n_chunk)  # the last chunk is filled up

        length, hop = self.stretch_points, self.hop_samples
        for piece, start in cut_stretches(padded(), length * hop, BATCH_POINTS * hop, overlap):
            # What begins in the last of the zeros is no point; before them, `n_heard` counts every whole chunk.
            n_points = min(length, self.count_points(n_heard) - n_told)
            if n_points > 0:
                n_told += n_points
                chunks = piece.unfold(0, n_chunk, hop)[: start // hop + n_points]
                yield self.posterior(chunks).mean[start // hop :, :, 0].T

    @torch.no_grad()
    def decode_stretches(
        self, path: Iterable[Tensor], n_samples: int, seed: int | None = None, first: int = 0
    ) -> Iterator[Tensor]:
        path = path if self.steering is None else self.steering.change(path, first)
        n_frames = (self.count_points(n_samples) - 1) * (self.model.n_frames // 2) + self.model.n_frames
        n_left = n_samples
        for sound in log_mel_to_stretches(self._blend(path), self.features, n_frames):
            own = sound[:n_left]
            n_left -= len(own)
            if len(own):
                yield own

    def _blend(self, path: Iterable[Tensor]) -> Iterator[Tensor]:
        """The spectrogram along a path: blocks `[D, K]` → blocks `[M, F]`."""
        n_frames, hop = self.model.n_frames, self.model.n_frames // 2
        fade = torch.minimum(torch.arange(1, n_frames + 1), torch.arange(n_frames, 0, -1)).float()
        fade = fade.to(self.features.window.device)
        total, weight = fade.new_zeros(self.features.n_mels, 0), fade.new_zeros(0)
        for points, start in cut_stretches(path, self.stretch_points, BATCH_POINTS, 0):
            chunks = self.model.eval().decode(points.T.to(fade.device))[start:]  # [K, M, F]
            n_missing = (len(chunks) - 1) * hop + n_frames - len(weight)
            total, weight = (torch.nn.functional.pad(values, (0, n_missing)) for values in (total, weight))
            for index, chunk in enumerate(chunks):
                total[:, index * hop : index * hop + n_frames] += fade * chunk
                weight[index * hop : index * hop + n_frames] += fade
            n_done = len(chunks) * hop
            yield total[:, :n_done] / weight[:n_done]
            total, weight = total[:, n_done:], weight[n_done:]
        yield total / weight

    def count_points(self, n_samples: int) -> int:
        hop = self.model.n_frames // 2
        n_missing = self.features.n_frames(n_samples) - self.model.n_frames
        return 1 + max(0, -(-n_missing // hop))

    def weigh_dimensions(self) -> None:
        """Nothing is known of them."""

    def _extract(self, waveforms: Tensor) -> AudioFeatures:
        return self.features.extract(waveforms.to(self.features.window.device))

    def _to_sound(self, log_mel: Tensor, n_samples: int) -> Tensor:
        return log_mel_to_waveform(log_mel, self.features, n_samples).cpu()
