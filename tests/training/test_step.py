"""Training steps: what is not finite changes nothing; batches in parts have the gradient and the draws of the whole."""

import pytest
import torch

from sda.audio.mel import LogMel
from sda.losses.elbo import Elbo
from sda.losses.spectral import SpectralObjective
from sda.models.latents import Posterior
from sda.models.mel_vae import MelVAE
from sda.models.spectral_vae import SpectralVAE
from sda.training.optimizer import build_optimizer, name_moments
from sda.training.step import read_back, take_step
from tests.conftest import as_features


def _take(n_parts, mask=None, dropout=0.0):
    torch.manual_seed(0)
    model = MelVAE(32, 30, latent_dim=4, dropout=dropout)
    optimizer = build_optimizer(model, 1e-3, 0.01)
    objective = Elbo(model.standardise, 32 * 30, 0.1, 0.2)
    heard = as_features(torch.randn(7, 32, 30, generator=torch.Generator().manual_seed(1)))
    settings = {"kl_weight": 0.7, "learning_rate": 1e-3, "gradient_clip_norm": 0.5, "autocast": None}
    (result,) = read_back([take_step(model, optimizer, objective, heard, mask=mask, n_parts=n_parts, **settings)])
    return result, {name: parameter.grad for name, parameter in model.named_parameters()}


@pytest.mark.parametrize("n_parts", [1, 2])
@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_step_that_is_not_finite_leaves_the_model_and_the_moments_as_they_were(bad, n_parts):
    torch.manual_seed(0)
    model = MelVAE(32, 30, latent_dim=4)
    optimizer = build_optimizer(model, 1e-3, 0.01)
    objective = Elbo(model.standardise, 32 * 30, 0.1, 0.2)
    heard = torch.randn(4, 32, 30)
    settings = {"kl_weight": 1.0, "learning_rate": 1e-3, "gradient_clip_norm": 0.5, "autocast": None}
    take_step(model, optimizer, objective, as_features(heard), n_parts=n_parts, **settings)
    before = {name: tensor.clone() for name, tensor in [*model.state_dict().items(), *name_moments(optimizer).items()]}
    heard[1, 2, 3] = bad
    (result,) = read_back([take_step(model, optimizer, objective, as_features(heard), n_parts=n_parts, **settings)])
    assert not result.finite
    after = {**model.state_dict(), **name_moments(optimizer)}
    assert all(torch.equal(tensor, before[name]) for name, tensor in after.items())


@pytest.mark.parametrize("n_parts", [2, 3, 7])
def test_a_batch_in_parts_gives_the_gradient_of_the_whole(monkeypatch, n_parts):
    monkeypatch.setattr(Posterior, "sample", lambda self: self.mean)  # draws fall differently on parts
    mask = torch.rand(7, 32, 30, generator=torch.Generator().manual_seed(2)) < 0.2
    whole, in_parts = _take(1, mask), _take(n_parts, mask)
    assert in_parts[0][:5] == pytest.approx(whole[0][:5], rel=1e-4)
    assert in_parts[0][5:] == (None, None)
    for name, gradient in whole[1].items():
        torch.testing.assert_close(in_parts[1][name], gradient, atol=1e-6, rtol=1e-3)


def test_both_passes_over_the_parts_make_the_same_draws():
    first, again = _take(3, dropout=0.5), _take(3, dropout=0.5)
    assert first[0] == again[0]
    assert first[0].finite


def test_both_passes_over_the_parts_draw_the_same_noise(monkeypatch):
    features = LogMel(16000, n_fft=512, hop_length=128, n_mels=32)
    torch.manual_seed(0)
    model = SpectralVAE(features=features, latent_dim=8, channels=16, n_decoder_blocks=1)
    objective = SpectralObjective(sample_rate_hz=16000, weights={"mel": 1.0}, kl_weight=0.1, free_bits=0.0)
    draws = []
    forward = SpectralVAE.forward

    def listen(self, heard, mask=None):
        result = forward(self, heard, mask)
        draws.append(result.draws.detach())
        return result

    monkeypatch.setattr(SpectralVAE, "forward", listen)
    settings = {"kl_weight": 0.7, "learning_rate": 1e-3, "gradient_clip_norm": 0.5, "autocast": None}
    heard = features.extract(torch.randn(6, 4096, generator=torch.Generator().manual_seed(1)))
    figures = take_step(model, build_optimizer(model, 1e-3, 0.01), objective, heard, n_parts=3, **settings)
    assert len(draws) == 6
    assert all(torch.equal(first, second) for first, second in zip(draws[:3], draws[3:], strict=True))
    assert read_back([figures])[0].noise != 0.0
