"""A training run in miniature, without configuration: what the loop needs and nothing else."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from sda.audio.augmentation import Augmentation
from sda.audio.masking import SpectrogramMask
from sda.audio.mel import AudioFeatures, LogMel
from sda.losses.elbo import Elbo
from sda.losses.objective import Objective
from sda.losses.spectral import SpectralObjective
from sda.models.autoencoder import Autoencoder
from sda.models.mel_vae import MelVAE
from sda.models.spectral_vae import SpectralVAE
from sda.training.chunk_dataset import number_files
from sda.training.config import RegularizationConfig, TrainingConfig
from sda.training.dataset import create_data_loaders
from sda.training.device import place
from sda.training.events import Event
from sda.training.length import EpochCount, TimeBudget
from sda.training.loader import TrainLoader
from sda.training.loop import Request, TrainingSetup, train
from sda.training.optimizer import build_optimizer
from sda.training.state import TrainState
from sda.training.validation import ValidationChunks
from tests.conftest import RATE_HZ


@dataclass
class Miniature:
    """Everything that is trained with; `run` calls it and collects the events."""

    config: TrainingConfig
    features: LogMel
    model: Autoencoder
    state: TrainState
    train_loader: TrainLoader
    train_eval: list[AudioFeatures]
    held_out: list[AudioFeatures]
    train_eval_blocks: list[int]
    held_out_blocks: list[int]
    events: list[Event] = field(default_factory=list)
    ask: Callable[[], Request] = lambda: Request.NOTHING
    budget: TimeBudget | None = None

    @property
    def objective(self) -> Objective:
        if isinstance(self.model, MelVAE):
            return Elbo(self.model.standardise, 32 * self.model.n_frames, self.config.free_bits, 0.2)
        weights = {"mel": 1.0, "convergence": 1.0}
        return SpectralObjective(sample_rate_hz=RATE_HZ, weights=weights, kl_weight=0.1, free_bits=0.1)

    def run(self, stop_after: float = math.inf, block_steps: int = 1) -> bool:
        setup = TrainingSetup(
            self.state,
            features=self.features,
            masking=SpectrogramMask(time_probability=0.5, band_probability=0.5),
            objective=self.objective,
            train_loader=self.train_loader,
            train_eval=ValidationChunks(self.train_eval, self.train_eval_blocks, seed=1),
            held_out=ValidationChunks(self.held_out, self.held_out_blocks, seed=0),
            config=self.config,
            length=self.budget or EpochCount(self.config.max_epochs),
            device=torch.device("cpu"),
            autocast=None,
            block_steps=block_steps,
        )
        return train(
            setup, self.events.append, lambda: Request.STOP if self.state.progress.step >= stop_after else self.ask()
        )

    def of(self, kind: type) -> list:
        return [event for event in self.events if isinstance(event, kind)]


@pytest.fixture
def make_miniature(make_sounds):
    def make(seed: int = 0, network: str = "mel_vae", silence_s: float = 0.0, **settings) -> Miniature:
        config = TrainingConfig(
            **{
                "latent_dim": 8,
                "batch_size": 4,
                "max_epochs": 3,
                "chunk_duration_s": 0.25,
                "val_fraction": 0.3,
                "regularization": RegularizationConfig(augmentation_expansion=1),
                **settings,
            }
        )
        torch.manual_seed(seed)
        features = LogMel(RATE_HZ, n_fft=512, hop_length=128, n_mels=32)
        dropout = config.regularization.dropout
        if network == "mel_vae":
            model = MelVAE(32, features.n_frames(RATE_HZ // 4), config.latent_dim, dropout)
        else:
            model = SpectralVAE(features=features, latent_dim=config.latent_dim, channels=16, dropout=dropout)
        place(model, torch.device("cpu"))
        files = sorted(Path(make_sounds(4)).iterdir())
        for path in files if silence_s else []:
            sound = soundfile.read(path)[0]
            soundfile.write(path, np.append(sound, np.zeros(round(silence_s * RATE_HZ))), RATE_HZ)
        loader, val_loader = create_data_loaders(files, config, Augmentation(), sample_rate=RATE_HZ, seed=seed)
        chunks, unseen = loader.dataset, val_loader.dataset
        training = [features.extract(*chunks.grid_chunks([index])) for index in chunks.visited]
        model.fit(training)
        state = TrainState(model, build_optimizer(model, config.learning_rate, config.regularization.weight_decay))
        held_out = [features.extract(*unseen.grid_chunks([index])) for index in unseen.visited]
        blocks = [number_files(dataset, dataset.visited) for dataset in (chunks, unseen)]
        return Miniature(config, features, model, state, loader, training, held_out, *blocks)

    return make


@pytest.fixture
def run(make_miniature):
    """A training that is over after an epoch."""
    miniature = make_miniature(max_epochs=1)
    miniature.run()
    return miniature


@pytest.fixture
def ramps(tmp_path):
    """Files whose samples say where they are: file k holds k/10 + a slow ramp."""
    paths = []
    for index, n_samples in enumerate((700, 1000, 2500)):
        path = tmp_path / f"ramp_{index}.wav"
        soundfile.write(path, 0.1 + index / 10 + np.arange(n_samples) / 1e5, RATE_HZ, subtype="FLOAT")
        paths.append(path)
    return paths


@pytest.fixture
def hits(tmp_path):
    """Short sounds: a level of 0.1 · k for 300 · k samples, the last with digital silence around and inside."""
    paths = []
    for index in (1, 2, 3):
        paths.append(tmp_path / f"hit_{index}.wav")
        soundfile.write(paths[-1], np.full(300 * index, 0.1 * index), RATE_HZ, subtype="FLOAT")
    stem = np.zeros(40_000, np.float32)
    stem[2300:2800] = stem[23_500:24_200] = 0.5
    paths.append(tmp_path / "stem.wav")
    soundfile.write(paths[-1], stem, RATE_HZ, subtype="FLOAT")
    return paths


@pytest.fixture
def keep_constant_voltage(monkeypatch):
    """Samples are told apart by ramps and constants here, which a recording would be rid of."""
    monkeypatch.setattr("sda.audio.mono.ChannelSurvey._find_rest", lambda self, channels: None)
