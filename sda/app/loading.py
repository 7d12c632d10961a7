"""A trained run, opened for use: its configuration, its features, its best model."""

from dataclasses import dataclass
from pathlib import Path

import torch

from sda.app.builders import build_features, build_model, build_synthesizer, check_fit
from sda.app.restoring import load_model, load_prior
from sda.audio.mel import LogMel
from sda.config.data import DataConfig
from sda.config.plain import compose_plain
from sda.config.schema import TrainRunConfig
from sda.config.verbs import WhichCheckpoint
from sda.generation.synthesizer import Synthesizer
from sda.runs.folder import CHECKPOINTS, find_run
from sda.runs.plan import to_schema
from sda.seal import is_own
from sda.training.checkpoint import Checkpoint, open_best, open_newest
from sda.training.device import choose_device


@dataclass(frozen=True)
class TrainedRun:
    """Everything that follows from a run's checkpoint; nothing is derived a second time."""

    run_dir: Path
    checkpoint: Checkpoint
    config: TrainRunConfig
    features: LogMel
    synthesizer: Synthesizer

    @property
    def is_own(self) -> bool:
        """Whether this installation began and saved it; else nothing is written into its folder."""
        return self.checkpoint.is_own and is_own(self.run_dir)


def open_run(name: str, device_name: str, which: WhichCheckpoint = WhichCheckpoint.best) -> TrainedRun:
    """Open a run's best epoch, or its last one that was saved.

    The places that another installation's run names are not used: decoded sound is kept where it is by default.

    Raises:
        CheckpointError: it is no run, or has no usable checkpoint.
        ConfigError: the device is unknown or not there.
    """
    device: torch.device = choose_device(device_name)
    run_dir = find_run(name)
    folder = run_dir / CHECKPOINTS
    checkpoint = open_best(folder) if which is WhichCheckpoint.best else open_newest(folder)[0]
    config = to_schema(compose_plain(checkpoint.config, checkpoint.folder))
    if not (checkpoint.is_own and is_own(run_dir)):
        config.data.cache_dir = DataConfig().cache_dir
    features = build_features(config, device)
    check_fit(config, features, checkpoint)
    model = build_model(config, features, device)
    load_model(model, checkpoint)
    synthesizer = build_synthesizer(config, model, features, load_prior(config, checkpoint))
    return TrainedRun(run_dir, checkpoint, config, features, synthesizer)
