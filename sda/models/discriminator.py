"""Networks that tell real waveforms from generated ones, each listening at a resolution of its own.

Letters in the shapes: `B` batch, `T` samples, `N` frequency bins, `F` frames, `C` channels, `n` and `f` what strides
leave of the bins and frames.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm

COMPRESSION = 0.3
"""Power that magnitudes are raised to: 20 dB become a factor of 2, about what the ear makes of them."""

LINEAR_POWER = 1e-8
"""Below this power (−80 dB) compression goes over into a constant gain: its slope at zero would be infinite."""

LEAK = 0.1
"""Slope of the activations below zero."""

STRIDES = (4, 2, 2, 2)
"""Of the layers along frequency. The first loses nothing: four bins are eight numbers, fewer than there are maps."""

DILATIONS = (1, 1, 2, 4)
"""Of the layers along time, so that they hear 21 frames in all."""


class Judgements(NamedTuple):
    """What the discriminators make of a batch, one entry a resolution."""

    scores: list[Tensor]
    """How real each patch sounds, larger being more so, `[B, n, f]`."""
    features: list[list[Tensor]]
    """Activations of every layer, `[B, C, n, f]`."""


class SpectralDiscriminators(nn.Module):
    """One small convolutional network a resolution, on the compressed complex spectrum.

    Real and imaginary part are two channels, so that phase counts. Networks are the same at every frequency and judge
    patches, not sounds: what few files there are is harder to learn by heart.

    Shape:
        `forward`: waveform `[B, T]`, longer than half the largest FFT → `Judgements`.

    Args:
        n_ffts: FFT lengths, samples; the hop is a quarter of each.
        channels: feature maps of the first two layers; later ones have twice as many.

    Raises:
        ValueError: on `forward`, the waveform is too short for its ends to be mirrored.

    Reference:
        Défossez et al., "High Fidelity Neural Audio Compression", 2022, section 3.4 (complex STFT discriminators);
        Isola et al., "Image-to-Image Translation with Conditional Adversarial Networks", CVPR 2017 (patches).
    """

    def __init__(self, n_ffts: Sequence[int] = (2048, 1024, 512), channels: int = 32):
        super().__init__()
        self.resolutions = nn.ModuleList(SpectralDiscriminator(n_fft, channels) for n_fft in n_ffts)

    def forward(self, waveform: Tensor) -> Judgements:
        scores, features = zip(*(resolution(waveform) for resolution in self.resolutions), strict=True)
        return Judgements(list(scores), list(features))


class SpectralDiscriminator(nn.Module):
    """One resolution: `[B, T]` → score map `[B, n, f]` and the layers' activations.

    Reference:
        Salimans & Kingma, "Weight Normalization", NeurIPS 2016: unlike batch normalisation, it lets no item of a
        batch tell about another.
    """

    def __init__(self, n_fft: int, channels: int):
        super().__init__()
        self.n_fft = n_fft
        window = torch.hann_window(n_fft)
        # Of unit energy: noise of a given level then has the same magnitude at every resolution.
        self.register_buffer("window", window / window.norm(), persistent=False)
        self.window: Tensor
        widths = (2, channels, channels, 2 * channels, 2 * channels)
        layers: list[nn.Conv2d] = []
        for layer, (stride, dilation) in enumerate(zip(STRIDES, DILATIONS, strict=True)):
            n_taps = 9 if layer == 0 else 5
            layers.append(
                nn.Conv2d(
                    widths[layer],
                    widths[layer + 1],
                    (n_taps, 3),
                    stride=(stride, 1),
                    dilation=(1, dilation),
                    padding=(n_taps // 2, dilation),
                )
            )
        layers.append(nn.Conv2d(widths[-1], widths[-1], 3, padding=1))
        for conv in layers:
            # Torch's own choice would let what is heard fade tenfold on its way to the score.
            nn.init.kaiming_normal_(conv.weight, a=LEAK)
        self.layers = nn.ModuleList(weight_norm(conv) for conv in layers)
        self.to_score = weight_norm(nn.Conv2d(widths[-1], 1, 3, padding=1))

    def forward(self, waveform: Tensor) -> tuple[Tensor, list[Tensor]]:
        hidden = self.compress(waveform)
        features = []
        for layer in self.layers:
            hidden = nn.functional.leaky_relu(layer(hidden), LEAK)
            features.append(hidden)
        return self.to_score(hidden).squeeze(1).float(), features

    def compress(self, waveform: Tensor) -> Tensor:
        """Real and imaginary part of the STFT, magnitudes raised to a power and phases kept. `[B, T]` → `[B, 2, N, F]`.

        The ends are mirrored: with zeros beyond them, every chunk would seem to begin and end with a click.
        """
        if waveform.shape[-1] <= self.n_fft // 2:
            raise ValueError(
                f"a waveform of {waveform.shape[-1]} samples is too short for n_fft={self.n_fft}: "
                f"use more than {self.n_fft // 2} samples, or smaller n_ffts"
            )
        margin = self.n_fft // 2
        # By hand, because torch's own mirroring has no repeatable gradient on a GPU.
        before, after = waveform[..., 1 : margin + 1].flip(-1), waveform[..., -margin - 1 : -1].flip(-1)
        spectrum = torch.stft(
            torch.cat([before, waveform, after], dim=-1).float(),
            self.n_fft,
            self.n_fft // 4,
            window=self.window,
            center=False,
            return_complex=True,
        )
        parts = torch.view_as_real(spectrum)  # [B, N, F, 2]
        power = parts.square().sum(dim=-1, keepdim=True)
        return (parts * (power + LINEAR_POWER) ** ((COMPRESSION - 1) / 2)).permute(0, 3, 1, 2)
