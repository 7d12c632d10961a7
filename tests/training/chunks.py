"""Data sets of small chunks."""

from sda.training.chunk_dataset import AudioTrainingDataset
from sda.training.config import TrainingConfig
from tests.conftest import RATE_HZ


def make_dataset(paths, **kwargs):
    return AudioTrainingDataset(paths, chunk_samples=1000, sample_rate=RATE_HZ, **kwargs)


def make_config(**kwargs):
    return TrainingConfig(batch_size=4, chunk_duration_s=0.5, val_fraction=0.3, **kwargs)
