from types import SimpleNamespace

import pytest
import torch

from sda.app import adversarial_phase
from sda.app.adversarial_phase import ENOUGH_MEMORY, build_adversary, settle_adversarial
from sda.audio.mel import LogMel
from sda.config.model import Adversarial, ModelName
from sda.config.schema import TrainRunConfig
from sda.errors import ConfigError
from sda.models.mel_vae import MelVAE
from sda.models.spectral_vae import SpectralVAE

CPU = torch.device("cpu")


@pytest.fixture
def model():
    return SpectralVAE(features=LogMel(n_mels=32), latent_dim=8, channels=16)


@pytest.fixture
def plan():
    config = TrainRunConfig()
    config.model.name, config.model.adversarial = ModelName.spectral_vae, Adversarial.auto
    return SimpleNamespace(config=config, checkpoint=None)


@pytest.mark.parametrize(("memory", "expected"), [(0, False), (ENOUGH_MEMORY - 1, False), (ENOUGH_MEMORY, True)])
def test_auto_looks_at_the_gpu(plan, model, monkeypatch, memory, expected):
    monkeypatch.setattr(adversarial_phase, "count_memory", lambda device: memory)
    assert settle_adversarial(plan, model, CPU) is expected


def test_there_is_none_unless_it_is_asked_for(plan, model, monkeypatch):
    monkeypatch.setattr(adversarial_phase, "count_memory", lambda device: ENOUGH_MEMORY)
    plan.config.model.adversarial = TrainRunConfig().model.adversarial
    assert settle_adversarial(plan, model, CPU) is False


@pytest.mark.parametrize(("asked", "expected"), [("auto", False), ("always", True), ("never", False)])
def test_on_a_cpu_there_is_a_second_phase_only_where_it_is_asked_for(plan, model, asked, expected):
    plan.config.model.adversarial = Adversarial[asked]
    assert settle_adversarial(plan, model, CPU) is expected


@pytest.mark.parametrize("began_with", [True, False])
def test_a_run_keeps_to_what_it_began_with(plan, model, began_with):
    plan.checkpoint = SimpleNamespace(facts={"adversarial": began_with})
    plan.config.model.adversarial = Adversarial.never if began_with else Adversarial.always
    assert settle_adversarial(plan, model, CPU) is began_with


def test_a_run_of_old_goes_on_without(plan, model, monkeypatch):
    monkeypatch.setattr(adversarial_phase, "count_memory", lambda device: ENOUGH_MEMORY)
    plan.checkpoint = SimpleNamespace(facts={})
    assert settle_adversarial(plan, model, CPU) is False


def test_what_cannot_be_had_is_refused_and_auto_does_without(plan, model, monkeypatch):
    monkeypatch.setattr(adversarial_phase, "count_memory", lambda device: ENOUGH_MEMORY)
    mel_vae = MelVAE(32, 32, 8)
    assert settle_adversarial(plan, mel_vae, CPU) is False
    plan.config.model.adversarial = Adversarial.always
    with pytest.raises(ConfigError, match=r"model\.adversarial=always cannot be had: .* use model=spectral_vae"):
        settle_adversarial(plan, mel_vae, CPU)
    plan.config.audio.sample_rate_hz, plan.config.training.chunk_duration_s = 8000, 0.1
    with pytest.raises(ConfigError, match=r"raise training\.chunk_duration_s"):
        settle_adversarial(plan, model, CPU)


def test_discriminators_listen_at_the_models_resolution_and_two_finer_ones(plan, model):
    adversary = build_adversary(plan.config, model, CPU, None)
    assert [network.n_fft for network in adversary.discriminators.resolutions] == [2048, 1024, 512]
    assert adversary.share == plan.config.model.second_phase.share
    assert all(parameter.requires_grad for parameter in model.parameters())
    adversary.begin(0, 2)
    frozen = {name.split(".")[0] for name, value in model.named_parameters() if not value.requires_grad}
    assert frozen == {"listen", "encoder", "shorten", "latent_encoder", "to_posterior", "analysis"}
    assert model.dropout.p == 0.0
