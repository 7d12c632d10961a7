"""In which arithmetic a run computes: what was asked for, or what is faster on this machine."""

import hashlib
import json
import platform
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from sda.app.pace import measure_step
from sda.config.schema import TrainRunConfig
from sda.durable import write_json
from sda.training.config import Precision
from sda.training.device import supports_bfloat16

RECORD = "precision.json"
"""What was measured, in the folder for caches, so that it is measured once and runs with one seed stay alike."""

AUTOCAST = {Precision.float32: None, Precision.bfloat16: torch.bfloat16}
"""The type that the forward pass is computed in; none is the parameters' own."""

MeasureStep = Callable[[TrainRunConfig, torch.device, "torch.dtype | None"], float]
"""`measure_step`, or a stand-in that says how many seconds a step takes."""


def settle_precision(
    config: TrainRunConfig, device: torch.device, folder: Path, measure: MeasureStep = measure_step
) -> Precision:
    """`float32` or `bfloat16`: as configured, or under `auto` whichever takes a step sooner here.

    Where the hardware does not multiply bfloat16, nothing is measured.

    Args:
        folder: where what was measured is kept.

    Raises:
        OSError: it cannot be kept there.
    """
    if config.training.precision is not Precision.auto:
        return config.training.precision
    if not supports_bfloat16(device):
        return Precision.float32
    record, key = folder / RECORD, _describe(config, device)
    known = _read(record)
    if key not in known:
        # Read again: another process may have measured something else meanwhile.
        seconds = {precision.name: measure(config, device, dtype) for precision, dtype in AUTOCAST.items()}
        known = {**_read(record), key: seconds}
        write_json(record, known)
    return Precision[min(known[key], key=known[key].__getitem__)]


def _describe(config: TrainRunConfig, device: torch.device) -> str:
    """What the speed of a step depends on, as a key."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
    training, audio = config.training, config.audio
    facts: list[Any] = [platform.node(), name, torch.get_num_threads(), torch.__version__, config.model.name.value]
    facts += [training.batch_size, training.latent_dim, training.chunk_duration_s]
    facts += [audio.sample_rate_hz, audio.n_fft, audio.hop_length, audio.n_mels]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16]


def _read(record: Path) -> dict[str, dict[str, float]]:
    try:
        known: dict[str, dict[str, float]] = json.loads(record.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):  # not there, or damaged: measured again
        return {}
    return known
