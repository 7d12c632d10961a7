"""How much of the bare model's speed a training step keeps, both measured in this session.

Usage: python experiments/bench/step.py [FOLDER] — the demo's sounds by default. Prints a table; JSON on the last line.
"""

import json
import sys
import time
from collections.abc import Callable

import torch
from omegaconf import OmegaConf

from sda.app.builders import build_features, build_model, build_objective
from sda.audio.augmentation import Augmentation
from sda.config.schema import TrainRunConfig
from sda.data.scan import scan_folder
from sda.training.config import get_adaptive_config
from sda.training.dataset import create_data_loaders
from sda.training.device import choose_autocast, choose_device
from sda.training.state import build_optimizer
from sda.training.step import take_step

N_STEPS = 12


def _measure(step: Callable[[int], None], n_chunks: int) -> float:
    """Chunks a second, after two steps to warm up."""
    for index in range(2):
        step(index)
    started = time.perf_counter()
    for index in range(N_STEPS):
        step(index)
    return N_STEPS * n_chunks / (time.perf_counter() - started)


def main(root: str) -> None:
    config = OmegaConf.to_object(OmegaConf.structured(TrainRunConfig))
    assert isinstance(config, TrainRunConfig)
    scan = scan_folder(root)
    training = get_adaptive_config(scan.file_count, scan.count_chunks(1.0))
    device = choose_device("auto")
    autocast = choose_autocast(training.precision, device)
    features = build_features(config).to(device)
    model = build_model(config, features).to(device)
    objective = build_objective(config, model)
    optimizer = build_optimizer(model, training.learning_rate, training.regularization.weight_decay)
    loader, _ = create_data_loaders([file.path for file in scan.usable], training, Augmentation())
    batches = loader.iterate(1)
    fixed = [features(next(batches).to(device)) for _ in range(2)]

    def learn(log_mel: torch.Tensor) -> None:
        settings = {"kl_weight": 1.0, "learning_rate": 1e-4, "gradient_clip_norm": 1.0}
        take_step(model, optimizer, objective, log_mel, autocast=autocast, **settings)

    n_chunks = training.batch_size
    rates = {
        "bare model (batch on the device)": _measure(lambda index: learn(fixed[index % 2]), n_chunks),
        "with mel, data and augmentation": _measure(lambda _: learn(features(next(batches).to(device))), n_chunks),
    }
    ceiling = next(iter(rates.values()))
    print(f"{device}, {torch.get_num_threads()} threads, batches of {n_chunks}")
    for name, rate in rates.items():
        print(f"  {name:<34} {rate:8.1f} chunks/s  {rate / ceiling:5.2f} of the bare model")
    print(json.dumps({name: rate / ceiling for name, rate in rates.items()}))


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "experiments/demo/sounds")
