import pytest
import torch

from sda.models.latents import LOG_VARIANCE_BOUND
from sda.models.mel_vae import MelVAE
from tests.conftest import as_features


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return MelVAE(n_mels=32, n_frames=20, latent_dim=8, dropout=0.3)


def test_the_plans_size():
    n_parameters = sum(parameter.numel() for parameter in MelVAE().parameters())
    assert 2.5e6 < n_parameters < 3.5e6


@pytest.mark.parametrize("n_frames", [1, 20, 94, 188])
def test_what_goes_in_comes_out(n_frames):
    model = MelVAE(n_mels=32, n_frames=n_frames, latent_dim=8)
    result = model(as_features(torch.randn(2, 32, n_frames)))
    assert result.output.shape == result.target.shape == (2, 32, n_frames)
    assert model.decode(result.posterior.mean).shape == (2, 32, n_frames)


def test_the_output_is_not_bounded(model):
    with torch.no_grad():
        model.decoder.stages[-2].bias.fill_(50.0)
        assert model(as_features(torch.zeros(1, 32, 20))).output.min() > 40
        model.decoder.stages[-2].bias.fill_(0.0)


def test_every_parameter_learns(model):
    model.train()
    model.zero_grad()
    result = model(as_features(torch.randn(4, 32, 20)))
    posterior = result.posterior
    ((result.output - result.target).square().mean() + posterior.log_variance.square().mean()).backward()
    still = [name for name, parameter in model.named_parameters() if parameter.grad.abs().sum() == 0]
    assert still == []


def test_training_draws_and_judging_does_not(model):
    heard = as_features(torch.randn(2, 32, 20))
    model.train()
    assert not torch.equal(model(heard).output, model(heard).output)
    model.eval()
    assert torch.equal(model(heard).output, model(heard).output)


def test_one_chunk_does_not_depend_on_the_others_in_its_batch(model):
    model.eval()
    batch = torch.randn(5, 32, 20)
    with torch.no_grad():
        torch.testing.assert_close(
            model(as_features(batch)).output[2:3], model(as_features(batch[2:3])).output, atol=1e-5, rtol=1e-4
        )


def test_the_log_variance_is_bounded_whatever_comes_in(model):
    model.eval()
    with torch.no_grad():
        log_variance = model(as_features(1e6 * torch.randn(3, 32, 20))).posterior.log_variance
    assert log_variance.abs().max() <= LOG_VARIANCE_BOUND


def test_bands_that_cannot_be_halved_are_refused():
    with pytest.raises(ValueError, match="n_mels=100 is not a multiple of 32"):
        MelVAE(n_mels=100)
