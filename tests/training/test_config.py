import subprocess
import sys

import pytest

from sda.errors import SdaError
from sda.training.config import (
    RegularizationConfig,
    TrainingConfig,
    get_adaptive_config,
    get_effective_preview_interval,
)
from sda.training.presets import OverfittingPreset


@pytest.mark.parametrize(
    ("file_count", "preset", "val_fraction", "dropout"),
    [
        (10, OverfittingPreset.CONSERVATIVE, 0.3, 0.4),
        (100, OverfittingPreset.BALANCED, 0.2, 0.2),
        (300, OverfittingPreset.AGGRESSIVE, 0.1, 0.1),
    ],
)
def test_the_plans_own_checks(file_count, preset, val_fraction, dropout):
    config = get_adaptive_config(file_count)
    assert (config.preset, config.val_fraction, config.regularization.dropout) == (preset, val_fraction, dropout)


def test_the_defaults_are_the_plans():
    config = TrainingConfig()
    assert (config.latent_dim, config.batch_size, config.max_epochs, config.learning_rate) == (64, 32, 200, 1e-3)
    assert (config.kl_warmup_fraction, config.free_bits, config.val_fraction) == (0.3, 0.5, 0.2)
    assert (config.chunk_duration_s, config.checkpoint_interval, config.max_checkpoints) == (1.0, 10, 3)
    assert (config.preview_interval, config.preview_interval_short) == (5, 2)
    assert (config.preset, config.device, config.num_workers) == (OverfittingPreset.BALANCED, "auto", 0)
    assert config.regularization == RegularizationConfig(0.2, 0.01, 10, 1.0)


@pytest.mark.parametrize(
    ("file_count", "n_chunks", "batch_size"), [(1, None, 1), (10, None, 12), (100, None, 32), (18, 90, 22), (5, 3, 1)]
)
def test_the_batch_follows_the_chunks(file_count, n_chunks, batch_size):
    assert get_adaptive_config(file_count, n_chunks=n_chunks).batch_size == batch_size


@pytest.mark.parametrize(("max_epochs", "interval"), [(49, 2), (50, 5), (100, 5)])
def test_short_runs_preview_more_often(max_epochs, interval):
    assert get_effective_preview_interval(TrainingConfig(max_epochs=max_epochs)) == interval


@pytest.mark.parametrize(
    ("section", "field", "value", "message"),
    [
        (
            RegularizationConfig,
            "dropout",
            1.0,
            r"regularization\.dropout=1.0 is out of range: .*at least 0 and below 1",
        ),
        (RegularizationConfig, "dropout", float("nan"), r"regularization\.dropout=nan is out of range"),
        (TrainingConfig, "max_epochs", 0, r"training\.max_epochs=0 is out of range: allowed is at least 1 epochs"),
        (TrainingConfig, "val_fraction", 1.0, r"training\.val_fraction=1.0"),
        (TrainingConfig, "learning_rate", -1.0, r"training\.learning_rate=-1.0 .*above 0"),
    ],
)
def test_out_of_range_names_the_key_and_what_is_allowed(section, field, value, message):
    with pytest.raises(SdaError, match=message):
        section(**{field: value})


@pytest.mark.parametrize("module", ["sda.training.config", "sda.training.metrics", "sda.config.store", "sda.runs.plan"])
def test_light_modules_import_neither_torch_nor_mlflow(module):
    code = f"import sys, {module}; sys.exit(any(name in sys.modules for name in ('torch', 'mlflow')))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
