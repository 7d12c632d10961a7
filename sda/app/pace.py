"""Step timing: a few real steps, taken on noise, tell how long a training step takes on this machine."""

import time
from collections.abc import Callable
from statistics import median

import torch

from sda.app.builders import build_features, build_model, build_objective
from sda.config.schema import TrainRunConfig
from sda.training.device import compile_network, fork_generators
from sda.training.optimizer import build_optimizer
from sda.training.step import StepFigures, read_back, take_step

N_STEPS = 3
LONGEST_S = 20.0
"""No further step is timed after this long."""


def measure_step(config: TrainRunConfig, device: torch.device, autocast: torch.dtype | None) -> float:
    """Seconds a step takes, spectrogram included.

    The first step, in which memory is found and kernels are chosen, does not count. Torch's random generators are left
    as they were.
    """
    with fork_generators(device):
        step = build_step(config, device, autocast)
        read_back([step()])
        taken_s: list[float] = []
        while len(taken_s) < N_STEPS and sum(taken_s) < LONGEST_S:
            started = time.perf_counter()
            read_back([step()])  # waits for the device
            taken_s.append(time.perf_counter() - started)
    return median(taken_s)


def build_step(
    config: TrainRunConfig, device: torch.device, autocast: torch.dtype | None, *, compiled: bool = False
) -> Callable[[], StepFigures]:
    """A training step on noise, spectrogram included, to be taken any number of times.

    Args:
        compiled: compile the network, on CUDA as a graph; that takes tens of seconds here.
    """
    features = build_features(config, device)
    model = build_model(config, features, device)
    objective = build_objective(config, model)
    optimizer = build_optimizer(model, config.training.learning_rate, config.regularization.weight_decay)
    waveforms = 0.1 * torch.randn(config.training.batch_size, 1, config.crop_samples, device=device)
    if compiled:
        compile_network(model, device, features.extract(waveforms))

    def step() -> StepFigures:
        return take_step(
            model,
            optimizer,
            objective,
            features.extract(waveforms),
            kl_weight=1.0,
            learning_rate=config.training.learning_rate,
            gradient_clip_norm=config.regularization.gradient_clip_norm,
            autocast=autocast,
        )

    return step
