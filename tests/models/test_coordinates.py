"""What a network learned, in other coordinates."""

import pytest
import torch

from sda.audio.mel import LogMel
from sda.models.latents import bound_log_variance
from sda.models.spectral_vae import FIRST_LOG_VARIANCE, SpectralVAE

RATE_HZ = 16000
STRIDE, N_MELS = 2, 32


@pytest.fixture(scope="module")
def features():
    return LogMel(RATE_HZ, n_fft=512, hop_length=128, n_mels=N_MELS)


def _make_noises(features, seed, tilt, level):
    """Noise of a colour and level of its own, that comes and goes."""
    generator = torch.Generator().manual_seed(seed)
    spectrum = torch.fft.rfft(torch.randn(8, 16384, generator=generator))
    coloured = torch.fft.irfft(spectrum * torch.linspace(0.02, 1.0, spectrum.shape[1]) ** tilt)
    slow = 1.0 + 0.8 * torch.sin(torch.arange(16384) / RATE_HZ * torch.arange(4.0, 12.0)[:, None])
    return features.extract(level * coloured * slow)


def _learn(features, latent_dim):
    """A network whose every part says something, in the coordinates of loud white noise."""
    torch.manual_seed(0)
    model = SpectralVAE(
        features=features, latent_dim=latent_dim, stride=STRIDE, channels=16, n_encoder_blocks=1, n_decoder_blocks=1
    )
    model.fit([_make_noises(features, 1, 0.0, 0.5)])
    with torch.no_grad():
        for part in (model.to_posterior, model.to_magnitude, model.noise_gate.to_share):
            part.weight.normal_(0.0, 0.05)
            part.bias.add_(torch.randn(len(part.bias)) * 0.05)
    return model.eval()


@torch.no_grad()
def _write(model, heard):
    """Spectra and noise along the posterior's mean, away from the ends."""
    written = model.write(model.encode(heard).mean)
    return [values[:, 30:-30] for values in (written.spectra, model.noise_gate(written.features), written.level)]


def test_where_components_hold_everything_sound_goes_through_as_before(features):
    model = _learn(features, STRIDE + STRIDE * N_MELS)
    heard = _make_noises(features, 2, 0.3, 0.2)
    before, latents = _write(model, heard), model.encode(heard).mean
    model.refit([_make_noises(features, 3, 1.0, 0.02)])
    for ours, theirs in zip(_write(model, heard), before, strict=True):
        torch.testing.assert_close(ours, theirs, atol=2e-3, rtol=2e-3)
    assert (model.encode(heard).mean - latents).abs().amax() > 1.0, "the coordinates are others"
    first = bound_log_variance(torch.tensor(FIRST_LOG_VARIANCE))
    log_variance = model.encode(heard).log_variance[:, STRIDE:]
    torch.testing.assert_close(log_variance, torch.full_like(log_variance, float(first)))


def test_where_they_do_not_it_is_as_before_as_far_as_they_do(features):
    """Fitting anew and leaving the weights as they are is what a network makes no sense of."""
    heard = _make_noises(features, 2, 0.3, 0.2)
    errors = {}
    for way in ("refit", "fit"):
        model = _learn(features, STRIDE + STRIDE * N_MELS // 2)
        before = _write(model, heard)
        getattr(model, way)([_make_noises(features, 3, 1.0, 0.02)])
        errors[way] = [float((a - b).abs().mean()) for a, b in zip(_write(model, heard), before, strict=True)]
    assert errors["refit"][0] < 0.8 * errors["fit"][0]
    assert errors["refit"][1] < 0.5 * errors["fit"][1]


def test_the_same_sounds_change_nothing(features):
    model, heard = _learn(features, 12), _make_noises(features, 2, 0.3, 0.2)
    before = _write(model, heard)
    model.refit([_make_noises(features, 1, 0.0, 0.5)])
    for ours, theirs in zip(_write(model, heard), before, strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-3, rtol=1e-3)
