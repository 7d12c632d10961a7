"""`train.py`, whose spectral_vae hears the complex spectrum beside its mel skeleton, in place of the mel spectrogram.

The linear way through the principal components is as it was; the network that learns what it misses is given real and
imaginary part of every bin, with magnitudes compressed and each bin's own advance of phase taken out.
"""

import torch
from torch import Tensor, nn

from sda.app import builders
from sda.app.builders import SIZES
from sda.app.command_line import train
from sda.audio.mel import AudioFeatures, LogMel
from sda.config.model import ModelName
from sda.config.schema import TrainRunConfig
from sda.models.discriminator import COMPRESSION, LINEAR_POWER
from sda.models.latents import Posterior
from sda.models.spectral_vae import SpectralVAE


class ComplexListener(SpectralVAE):
    """A spectral_vae whose first layer hears `2 · N` channels and the loudness."""

    def __init__(self, *, features: LogMel, channels: int, **settings: object):
        super().__init__(features=features, channels=channels, **settings)  # type: ignore[arg-type]
        self.mel_channels = features.n_mels
        self.listen = nn.Conv1d(2 * (features.n_fft // 2 + 1) + 1, channels, 1)
        self._heard: Tensor | None = None
        self.listen.register_forward_pre_hook(self._hear_complex)

    def encode(self, inputs: AudioFeatures, mask: Tensor | None = None) -> Posterior:
        self._heard = inputs.waveform
        return super().encode(inputs, mask)

    def _hear_complex(self, _: nn.Module, arguments: tuple[Tensor]) -> tuple[Tensor]:
        """Put the spectrum in the place of the mel bands `[B, M + 1, F]`; its last frame is repeated as theirs is."""
        (given,) = arguments
        assert self._heard is not None
        n_frames = given.shape[2]
        waveform = nn.functional.pad(self._heard, (0, n_frames * self.hop_length))
        spectrum = torch.stft(waveform, self.n_fft, self.hop_length, window=self.window, return_complex=True)
        spectrum = spectrum[:, :, :n_frames] * torch.polar(torch.ones(()), -self._advance(n_frames)).T
        parts = torch.view_as_real(spectrum)
        parts = parts * (parts.square().sum(dim=-1, keepdim=True) + LINEAR_POWER) ** ((COMPRESSION - 1) / 2)
        return (torch.cat([parts[..., 0], parts[..., 1], given[:, -1:]], dim=1),)


def _construct(config: TrainRunConfig, features: LogMel) -> ComplexListener:
    return ComplexListener(
        features=features,
        latent_dim=config.training.latent_dim,
        stride=config.model.frames_per_latent,
        dropout=config.regularization.dropout,
        **SIZES[config.model.size],
    )


if __name__ == "__main__":
    row = builders.NETWORKS[ModelName.spectral_vae]
    builders.NETWORKS[ModelName.spectral_vae] = row._replace(build=_construct)
    AudioFeatures.forget_waveform = lambda self: self  # type: ignore[method-assign]
    train()
