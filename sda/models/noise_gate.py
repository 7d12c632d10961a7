"""Noise in a spectrum: how much of every band of a frame is noise, and noise of the spectrum's own shape.

What a few numbers a second cannot carry is not to be averaged, but drawn. The noise is an input: white noise in time,
whose frames are filtered by the magnitudes that the decoder has written, and overlap as those of real noise do, so that
nothing flutters at the rate of the frames.

Letters in the shapes: `B` batch, `F` frames, `C` channels, `M` mel bands, `N` frequency bins, `H` samples from frame to
frame.
"""

import torch
from torch import Tensor, nn

FIRST_LOG_ODDS = -2.0
"""An eighth of everything is noise at first. Half of noise moves nearly as much as noise alone, so that a gate that
begins there does not learn what to do on a tone; a little more or less of little is heard at once."""


class NoiseGate(nn.Module):
    """Mixes what was written with noise of the same magnitudes: `√(1−g) · S + √g · |S| · N`.

    The share `g` of noise in the power is written for every band and frame; bins between two bands get what lies
    between.

    Args:
        channels: of the features that it is written from.
        to_bins: weights from mel bands to bins, `[N, M]`.
        window: of the frames.
    """

    def __init__(self, channels: int, to_bins: Tensor, window: Tensor, hop_length: int):
        super().__init__()
        self.hop_length = hop_length
        self.to_share = nn.Linear(channels, to_bins.shape[1])
        nn.init.zeros_(self.to_share.weight)
        nn.init.constant_(self.to_share.bias, FIRST_LOG_ODDS)
        self.register_buffer("to_bins", to_bins.detach().clone(), persistent=False)
        self.register_buffer("window", window.detach().clone(), persistent=False)
        self.to_bins: Tensor
        self.window: Tensor

    def forward(self, features: Tensor) -> Tensor:
        """The log odds of the share of noise in every bin. `[B, F, C]` → `[B, F, N]`."""
        log_odds: Tensor = self.to_share(features) @ self.to_bins.T
        return log_odds

    def mix(self, spectra: Tensor, log_odds: Tensor, noise: Tensor) -> Tensor:
        """Spectra with noise in them. `[B, F, N]`, complex → `[B, F, N]`.

        Args:
            log_odds: of the share of noise, as `forward` gives them.
            noise: white, of unit variance, from half a window before the first frame's centre to half a window behind
                the last one's, `[B, (F − 1) · H + n_fft]`.
        """
        white = torch.fft.rfft(noise.unfold(-1, len(self.window), self.hop_length) * self.window)
        white = white / self.window.square().sum().sqrt()  # so that its variance is 1 in every bin
        # The roots of 1 − g and g, whose gradients stay finite where the gate is shut or wide open.
        kept, drawn = ((0.5 * nn.functional.logsigmoid(odds)).exp() for odds in (-log_odds, log_odds))
        mixed: Tensor = kept * spectra + drawn * spectra.abs() * white
        return mixed
