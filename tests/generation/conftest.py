import pytest
import torch

from sda.audio.mel import LogMel
from sda.generation.mel_synthesizer import MelSynthesizer
from sda.generation.spectral_synthesizer import SpectralSynthesizer
from sda.generation.synthesizer import TrainingSound
from sda.models.mel_vae import MelVAE
from sda.models.spectral_vae import SpectralVAE

RATE_HZ = 16000


@pytest.fixture(scope="module")
def features():
    return LogMel(RATE_HZ, n_fft=512, hop_length=128, n_mels=32)


@pytest.fixture(scope="module")
def sound():
    """Two seconds of noise whose level rises and falls, so that it matters where a stretch begins."""
    torch.manual_seed(1)
    time_s = torch.arange(2 * RATE_HZ) / RATE_HZ
    return torch.randn(2 * RATE_HZ) * 0.1 * (1.1 + torch.sin(5.0 * time_s))


@pytest.fixture(scope="module")
def mel_synthesizer(features, sound):
    torch.manual_seed(0)
    model = MelVAE(32, features.n_frames(4000), 8)
    training = [features.extract(sound.unfold(0, 4000, 4000))]
    model.fit(training)
    synthesizer = MelSynthesizer(model.eval(), features)
    synthesizer.fit([TrainingSound("sound", sound)])
    return synthesizer


@pytest.fixture(scope="module")
def spectral_synthesizer(features, sound):
    torch.manual_seed(0)
    model = SpectralVAE(features=features, latent_dim=8, channels=16, n_decoder_blocks=2)
    training = [features.extract(sound.unfold(0, 4000, 4000))]
    model.fit(training)
    synthesizer = SpectralSynthesizer(model.eval(), features, stretch_points=16)
    synthesizer.fit([TrainingSound("first", sound[:RATE_HZ]), TrainingSound("second", sound[RATE_HZ:])])
    return synthesizer


@pytest.fixture(params=["mel_synthesizer", "spectral_synthesizer"])
def synthesizer(request):
    return request.getfixturevalue(request.param)
