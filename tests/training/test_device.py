import pytest
import torch

from sda.errors import ConfigError
from sda.losses.elbo import Elbo
from sda.models.mel_vae import MelVAE
from sda.training.device import choose_device, compile_network, count_block_steps, fork_generators, place
from sda.training.optimizer import build_optimizer
from sda.training.step import read_back, take_step
from tests.conftest import as_features

CPU = torch.device("cpu")


def test_auto_finds_a_device_that_computes():
    assert torch.ones(2, device=choose_device("auto")).sum() == 2


@pytest.mark.parametrize(
    ("name", "message"), [("gpu", "unknown: use auto"), ("cuda:x", "unknown"), ("cuda:99", "not on this machine")]
)
def test_a_device_that_is_not_there_is_refused(name, message):
    with pytest.raises(ConfigError, match=rf"training\.device={name} .*{message}"):
        choose_device(name)


def test_a_network_in_another_layout_computes_the_same():
    torch.manual_seed(0)
    model = MelVAE(32, 30, latent_dim=4, dropout=0.0).eval()
    heard = as_features(torch.randn(3, 32, 30))
    before = model(heard).output
    placed = place(model, CPU)
    kernels = [parameter for parameter in placed.parameters() if parameter.dim() == 4]
    assert all(kernel.is_contiguous(memory_format=torch.channels_last) for kernel in kernels)
    torch.testing.assert_close(placed(heard).output, before, atol=1e-4, rtol=1e-4)


def test_only_devices_beside_the_processor_are_read_in_blocks():
    assert count_block_steps(CPU) == 1
    assert count_block_steps(torch.device("cuda")) > 1


def test_draws_inside_a_fork_leave_no_trace():
    torch.manual_seed(0)
    before = torch.get_rng_state()
    with fork_generators(CPU):
        torch.randn(3)
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.slow
def test_a_compiled_network_computes_the_same_and_learns():
    torch.manual_seed(0)
    model = MelVAE(32, 30, latent_dim=4, dropout=0.0)
    heard = as_features(torch.randn(3, 32, 30))
    before = model.eval()(heard).output.detach()
    compile_network(model, CPU, heard)
    with torch.no_grad():  # as it is judged; with gradients it would be compiled once more, forwards and backwards
        torch.testing.assert_close(model.eval()(heard).output, before, atol=1e-4, rtol=1e-4)
    weights = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    optimizer = build_optimizer(model, 1e-3, 0.0)
    objective = Elbo(model.standardise, 32 * 30, 0.5, 0.2)
    settings = {"kl_weight": 1.0, "learning_rate": 1e-3, "gradient_clip_norm": 1.0, "autocast": None}
    (result,) = read_back([take_step(model, optimizer, objective, heard, **settings)])
    assert result.finite
    assert all(not torch.equal(parameter, weights[name]) for name, parameter in model.named_parameters())


def test_a_machine_that_cannot_compile_is_told_what_to_do(monkeypatch):
    model = MelVAE(32, 30, latent_dim=4, dropout=0.0)

    def refuse(*args, **kwargs):
        raise RuntimeError("Failed to find C++ compiler\ntrace")

    monkeypatch.setattr(model, "compile", lambda mode: setattr(model, "_compiled_call_impl", refuse))
    with pytest.raises(ConfigError, match=r"training\.compile=true .*\(Failed to find C\+\+ compiler\).*compile=false"):
        compile_network(model, CPU, as_features(torch.randn(2, 32, 30)))
