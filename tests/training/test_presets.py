"""The presets: what each sets, and which one a number of files asks for."""

import pytest

from sda.errors import ConfigError, SdaError
from sda.training.config import (
    get_adaptive_config,
)
from sda.training.presets import Preset, choose_batch_size


@pytest.mark.parametrize(
    ("file_count", "preset"),
    [(1, "CONSERVATIVE"), (49, "CONSERVATIVE"), (50, "BALANCED"), (199, "BALANCED"), (200, "AGGRESSIVE")],
)
def test_the_presets_meet_where_the_table_says(file_count, preset):
    assert get_adaptive_config(file_count).preset.name == preset


def test_the_table():
    rows = {}
    for count in (10, 100, 300):
        config = get_adaptive_config(count)
        reg = config.regularization
        rows[count] = (
            reg.dropout,
            reg.weight_decay,
            reg.augmentation_expansion,
            config.max_epochs,
            config.learning_rate,
            config.kl_warmup_fraction,
            reg.gradient_clip_norm,
        )
    assert rows == {
        10: (0.4, 0.05, 15, 100, 5e-4, 0.5, 0.5),
        100: (0.2, 0.01, 10, 200, 1e-3, 0.3, 1.0),
        300: (0.1, 0.001, 5, 500, 2e-3, 0.2, 5.0),
    }


def test_a_negative_count_is_refused():
    with pytest.raises(ConfigError, match="file_count=-1 cannot be negative"):
        get_adaptive_config(-1)


@pytest.mark.parametrize(("n_chunks", "batch_size"), [(0, 1), (7, 1), (8, 2), (127, 31), (128, 32), (10_000, 32)])
def test_a_batch_is_a_quarter_of_the_chunks_within_its_limits(n_chunks, batch_size):
    assert choose_batch_size(n_chunks) == batch_size


def test_a_preset_out_of_range_names_its_key():
    with pytest.raises(SdaError, match=r"preset\.dropout=1\.0 is out of range"):
        Preset(dropout=1.0)
