"""The keys of the configuration: which there are, and that each is explained."""

import pytest

from sda.config.data import AudioConfig
from sda.config.schema import TrainRunConfig
from sda.config.verbs import EvaluateConfig, GenerateConfig
from sda.config_field import describe_settings
from sda.errors import ConfigError
from sda.training.config import TrainingConfig


@pytest.mark.parametrize("schema", [TrainRunConfig, EvaluateConfig, GenerateConfig])
def test_every_key_is_documented(schema):
    rows = describe_settings(schema)
    assert rows
    for key, _, text in rows:
        assert len(text) > 15, key


def test_the_keys_are_these():
    sections = {key.partition(".")[0] for key, _, _ in describe_settings(TrainRunConfig)}
    assert sections == {
        "data", "preset", "training", "regularization", "audio", "model", "augmentation", "preview", "evaluation",
        "prior", "checkpoint", "tracking", "sweep", "seed", "deterministic", "init_from", "init_statistics", "resume",
        "verbose",
    }  # fmt: skip


def test_a_chunk_has_as_many_samples_as_its_length_at_its_rate():
    config = TrainRunConfig(training=TrainingConfig(chunk_duration_s=0.3), audio=AudioConfig(sample_rate_hz=44100))
    assert config.chunk_samples == 13230


def test_a_value_out_of_range_is_named_without_a_section():
    with pytest.raises(ConfigError, match=r"^seed=-1 is out of range"):
        TrainRunConfig(seed=-1)
