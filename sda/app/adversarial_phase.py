"""Whether a run ends with discriminators, and building them."""

import torch

from sda.config.model import Adversarial
from sda.config.schema import TrainRunConfig
from sda.errors import ConfigError
from sda.models.autoencoder import Autoencoder
from sda.models.discriminator import SpectralDiscriminators
from sda.runs.plan import Plan
from sda.training.adversary import AdversarialWeights, Adversary
from sda.training.device import count_memory, place

ENOUGH_MEMORY = 8e9
"""Bytes that a GPU has to have for `model.adversarial=auto` to use them."""


def settle_adversarial(plan: Plan, model: Autoencoder, device: torch.device) -> bool:
    """Whether there is an adversarial phase; a run that goes on keeps to what it began with.

    Raises:
        ConfigError: it is asked for, and cannot be had.
    """
    if plan.checkpoint is not None:
        return bool(plan.checkpoint.facts.get("adversarial", False))
    asked, problem = plan.config.model.adversarial, _find_problem(plan.config, model)
    if asked is Adversarial.always and problem:
        raise ConfigError(f"model.adversarial=always cannot be had: {problem}.")
    if asked is Adversarial.auto:
        return not problem and count_memory(device) >= ENOUGH_MEMORY
    return asked is Adversarial.always


def build_adversary(
    config: TrainRunConfig, model: Autoencoder, device: torch.device, autocast: torch.dtype | None
) -> Adversary:
    """Discriminators that listen at the model's own resolution and two finer ones, untrained."""
    phase = config.model.second_phase
    discriminators = SpectralDiscriminators(_list_resolutions(config))
    return Adversary(
        place(discriminators, device),
        model.freeze_encoder,
        weights=AdversarialWeights(phase.adversarial_weight, phase.feature_weight, phase.lecam_weight),
        rate_hz=config.audio.sample_rate_hz,
        seed=config.seed,
        share=phase.share,
        weight_decay=config.regularization.weight_decay,
        autocast=autocast,
    )


def _list_resolutions(config: TrainRunConfig) -> list[int]:
    return [config.audio.n_fft >> octave for octave in range(3)]


def _find_problem(config: TrainRunConfig, model: Autoencoder) -> str:
    """Why there can be no adversarial phase; empty where there can."""
    if not model.writes_waveforms:
        return f"model={config.model.name.value} writes no waveform; use model=spectral_vae"
    if config.crop_samples <= config.audio.n_fft // 2:
        return "what a step hears is shorter than half of audio.n_fft; raise training.chunk_duration_s"
    return ""
