"""Step timing: a few real steps, taken on noise, tell how long a training step takes on this machine."""

import time
from collections.abc import Callable
from statistics import median

import torch

from sda.app.builders import build_features, build_model, build_objective
from sda.config.schema import TrainRunConfig
from sda.training.device import fork_generators
from sda.training.optimizer import build_optimizer
from sda.training.step import read_back, take_step

N_STEPS = 3
LONGEST_S = 20.0
"""No further step is timed after this long."""


def measure_step(config: TrainRunConfig, device: torch.device, autocast: torch.dtype | None) -> float:
    """Seconds a step takes, spectrogram included.

    The first step, in which memory is found and kernels are chosen, does not count. Torch's random generators are left
    as they were.
    """
    with fork_generators(device):
        step = _build_step(config, device, autocast)
        step()
        taken_s: list[float] = []
        while len(taken_s) < N_STEPS and sum(taken_s) < LONGEST_S:
            started = time.perf_counter()
            step()
            taken_s.append(time.perf_counter() - started)
    return median(taken_s)


def _build_step(config: TrainRunConfig, device: torch.device, autocast: torch.dtype | None) -> Callable[[], object]:
    features = build_features(config, device)
    model = build_model(config, features, device)
    objective = build_objective(config, model)
    optimizer = build_optimizer(model, config.training.learning_rate, config.regularization.weight_decay)
    waveforms = 0.1 * torch.randn(config.training.batch_size, 1, config.chunk_samples, device=device)

    def step() -> object:
        figures = take_step(
            model,
            optimizer,
            objective,
            features.extract(waveforms),
            kl_weight=1.0,
            learning_rate=config.training.learning_rate,
            gradient_clip_norm=config.regularization.gradient_clip_norm,
            autocast=autocast,
        )
        return read_back([figures])  # waits for the device

    return step
