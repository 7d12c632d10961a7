"""What is allowed beside training, and that what runs can be ranked by is told in full."""

import pytest

from sda.config.running import OBJECTIVES, CheckpointConfig, EvaluationConfig, PreviewConfig, TrackingConfig
from sda.errors import ConfigError
from sda.measures import AT_END, OF_TRAINING


@pytest.mark.parametrize(
    ("section", "wrong", "key"),
    [
        (PreviewConfig, {"n_reconstructions": 0}, "preview.n_reconstructions=0"),
        (TrackingConfig, {"close_timeout_s": -1.0}, "tracking.close_timeout_s=-1.0"),
        (CheckpointConfig, {"every_minutes": -1.0}, "checkpoint.every_minutes=-1.0"),
        (EvaluationConfig, {"max_clips": 0}, "evaluation.max_clips=0"),
    ],
)
def test_what_is_out_of_range_is_named_by_its_key(section, wrong, key):
    with pytest.raises(ConfigError) as refused:
        section(**wrong)
    assert f"{key} is out of range" in str(refused.value)


def test_every_measure_that_runs_can_be_ranked_by_is_told():
    for name in (*AT_END, *OF_TRAINING):
        assert name in OBJECTIVES
