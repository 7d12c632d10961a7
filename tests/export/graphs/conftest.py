"""A model in miniature, as the formats of other programs are given it."""

import pytest
import torch

from sda.audio.mel import LogMel
from sda.export.description import Description
from sda.export.onnx import Graphs, translate
from sda.generation.spectral_synthesizer import SpectralSynthesizer
from sda.generation.synthesizer import TrainingSound
from sda.models.spectral_vae import SpectralVAE
from tests.conftest import RATE_HZ

GAIN_DB = 6.0


@pytest.fixture(scope="session")
def synthesizer() -> SpectralSynthesizer:
    """Fitted, and with noise in what it writes, but not trained."""
    features = LogMel(RATE_HZ, n_fft=512, hop_length=128, n_mels=32)
    generator = torch.Generator().manual_seed(1)
    time_s = torch.arange(3 * RATE_HZ) / RATE_HZ
    sound = torch.randn(len(time_s), generator=generator) * 0.1 * (1.1 + torch.sin(5.0 * time_s))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = SpectralVAE(features=features, latent_dim=8, channels=16, n_decoder_blocks=1)
    model.fit([features.extract(sound.unfold(0, 4000, 4000))])
    made = SpectralSynthesizer(model.eval(), features)
    made.fit([TrainingSound(name, sound[part * RATE_HZ :][:RATE_HZ]) for part, name in enumerate("abc")])
    return made


@pytest.fixture(scope="session")
def description() -> Description:
    return Description("rain", 7, {"data": {"gain_db": GAIN_DB}}, "CC0")


@pytest.fixture(scope="session")
def graphs(synthesizer: SpectralSynthesizer, description: Description) -> Graphs:
    """Translated once: it takes many seconds."""
    pytest.importorskip("onnxruntime")
    return translate(synthesizer, description, "onnx")
