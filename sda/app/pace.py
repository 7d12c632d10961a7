"""How long a training step takes on this machine: a few real ones, taken on noise."""

import time
from statistics import median

import torch

from sda.app.builders import build_features, build_model, build_objective, count_chunk_samples
from sda.config.schema import TrainRunConfig
from sda.training.device import choose_autocast, choose_device, seed_everything
from sda.training.state import build_optimizer
from sda.training.step import take_step

N_STEPS = 3
LONGEST_S = 20.0
"""No further step is timed after this long."""


def measure_step(config: TrainRunConfig) -> tuple[float, str]:
    """Seconds a step takes, spectrogram included, and the device it ran on.

    The first step, in which memory is found and kernels are chosen, does not count.

    Raises:
        ConfigError: the device or the model cannot be had as configured.
    """
    seed_everything(config.seed, config.deterministic)
    device = choose_device(config.training.device)
    features = build_features(config).to(device)
    model = build_model(config, features).to(device)
    objective = build_objective(config, model)
    optimizer = build_optimizer(model, config.training.learning_rate, config.regularization.weight_decay)
    waveforms = 0.1 * torch.randn(config.training.batch_size, 1, count_chunk_samples(config), device=device)

    def step() -> float:
        started = time.perf_counter()
        take_step(
            model,
            optimizer,
            objective,
            features(waveforms),
            kl_weight=1.0,
            learning_rate=config.training.learning_rate,
            gradient_clip_norm=config.regularization.gradient_clip_norm,
            autocast=choose_autocast(config.training.precision, device),
        )
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        return time.perf_counter() - started

    step()
    taken_s: list[float] = []
    while len(taken_s) < N_STEPS and sum(taken_s) < LONGEST_S:
        taken_s.append(step())
    return median(taken_s), str(device)
