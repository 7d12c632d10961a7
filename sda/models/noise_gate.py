"""Noise in a spectrum: how much of every band of a frame is noise, and noise of the spectrum's own shape.

What a few numbers a second cannot carry is not to be averaged, but drawn. The noise is an input: white noise in time,
whose frames are filtered by the magnitudes that the decoder has written, and overlap as those of real noise do, so that
nothing flutters at the rate of the frames.

Letters in the shapes: `B` batch, `F` frames, `C` channels, `M` mel bands, `N` frequency bins, `H` samples from frame to
frame.
"""

import torch
from torch import Tensor, nn

MAX_RAISE = 1.0
"""A band is raised or lowered by no more than this (natural log), 9 dB."""


class NoiseGate(nn.Module):
    """Mixes what was written with noise of the same magnitudes: `(√(1−g) · S + √g · |S| · N) · r`.

    The share `g` of noise in the power, and by how much a band is raised, `r`, are written for every band and frame;
    bins between two bands get what lies between. The raise is what an average leaves out: the typical magnitude of
    noise is lower than the root of its power.

    Args:
        channels: of the features that both are written from.
        to_bins: weights from mel bands to bins, `[N, M]`.
        window: of the frames.
    """

    def __init__(self, channels: int, to_bins: Tensor, window: Tensor, hop_length: int):
        super().__init__()
        self.hop_length = hop_length
        self.to_share = nn.Linear(channels, to_bins.shape[1])
        self.to_raise = nn.Linear(channels, to_bins.shape[1])
        for layer in (self.to_share, self.to_raise):  # half of everything is noise at first, and nothing is raised
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)
        self.register_buffer("to_bins", to_bins.detach().clone(), persistent=False)
        self.register_buffer("window", window.detach().clone(), persistent=False)
        self.to_bins: Tensor
        self.window: Tensor

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """What the spectrum and the noise of its magnitudes are multiplied with. `[B, F, C]` → two `[B, F, N]`."""
        share = self.share(features)
        raised = MAX_RAISE * torch.tanh(self.to_raise(features) / MAX_RAISE)
        raised = (raised @ self.to_bins.T).exp()
        return (1.0 - share).sqrt() * raised, share.sqrt() * raised

    def share(self, features: Tensor) -> Tensor:
        """How much of the power in every bin is noise, in (0, 1). `[B, F, C]` → `[B, F, N]`."""
        return torch.sigmoid(self.to_share(features) @ self.to_bins.T)

    def mix(self, spectra: Tensor, factors: tuple[Tensor, Tensor], noise: Tensor) -> Tensor:
        """Spectra with noise in them. `[B, F, N]`, complex → `[B, F, N]`.

        Args:
            factors: what `forward` gave.
            noise: white, of unit variance, from half a window before the first frame's centre to half a window behind
                the last one's, `[B, (F − 1) · H + n_fft]`.
        """
        white = torch.fft.rfft(noise.unfold(-1, len(self.window), self.hop_length) * self.window)
        white = white / self.window.square().sum().sqrt()  # so that its variance is 1 in every bin
        mixed: Tensor = factors[0] * spectra + factors[1] * spectra.abs() * white
        return mixed
