"""A tiny model to be streamed, of sound at 16 kHz and with a latent every 512 samples."""

import torch
from torch import Tensor

from sda.audio.mel import LogMel
from sda.generation.spectral_synthesizer import SpectralSynthesizer
from sda.generation.synthesizer import TrainingSound
from sda.models.spectral_vae import SpectralVAE

RATE_HZ = 16000
HOP = 512


def make_noise(n_samples: int, seed: int = 1) -> Tensor:
    """Noise whose level rises and falls, `[T]`."""
    generator = torch.Generator().manual_seed(seed)
    time_s = torch.arange(n_samples) / RATE_HZ
    return torch.randn(n_samples, generator=generator) * 0.1 * (1.1 + torch.sin(5.0 * time_s))


def build_synthesizer(*, noise: bool = True) -> SpectralSynthesizer:
    """Fitted, not trained."""
    torch.manual_seed(0)
    features = LogMel(RATE_HZ, n_fft=512, hop_length=128, n_mels=32)
    model = SpectralVAE(
        features=features, latent_dim=8, channels=8, n_encoder_blocks=1, n_decoder_blocks=1, noise=noise
    )
    sound = make_noise(2 * RATE_HZ)
    model.fit([features.extract(sound.unfold(0, 4000, 4000))])
    for parameter in model.parameters():  # at first, the networks add next to nothing to the linear way
        parameter.data += 0.05 * torch.randn(parameter.shape)
    synthesizer = SpectralSynthesizer(model.eval(), features)
    synthesizer.fit([TrainingSound("heron.wav", sound[:RATE_HZ]), TrainingSound("osprey.wav", sound[RATE_HZ:])])
    return synthesizer
