import json
import math

import pytest
import torch

from sda.bootstrap import Estimate
from sda.evaluation.control_likeness import LikenessAlong
from sda.evaluation.controls import ControlProof, CorpusRange, ProvenControls
from sda.generation.controls import Controls
from sda.generation.loudness import LoudnessScale
from sda.generation.steering import Direction
from sda.runs.controls_record import CONTROLS_RECORD, read_controls, write_controls
from sda.seal import mark_own


@pytest.fixture
def proven():
    nothing = Estimate(math.nan, math.nan, math.nan)
    proofs = [
        ControlProof(
            "level",
            5.0,
            CorpusRange(-30.0, -15.0),
            Estimate(1.0, 1.0, 1.0),
            Estimate(1.0),
            {"decay": 0.1},
            5,
            LikenessAlong(0.1, 0.0, 0.2),
        ),
        ControlProof("decay", 9.0, CorpusRange(0.0, 50.0), nothing, nothing, {}, 0),
    ]
    bright, noisy = Direction(torch.tensor([0.0, 2.5]), -0.5), Direction(torch.tensor([0.1, 0.0]))
    directions = {"noisiness": noisy, "brightness": bright}
    return ProvenControls(Controls(LoudnessScale(1, 8.0, 0.04), directions), proofs)


def test_what_was_found_is_read_as_it_was(tmp_path, proven):
    mark_own(tmp_path)
    write_controls(tmp_path, proven, "abc")
    read = read_controls(tmp_path, "abc")
    assert read.controls.loudness == proven.controls.loudness
    for key, direction in proven.controls.directions.items():
        assert torch.equal(read.controls.directions[key].latents, direction.latents)
        assert read.controls.directions[key].more_noise == direction.more_noise
    assert read.proofs[0] == proven.proofs[0]
    assert math.isnan(read.proofs[1].correlation.value)
    assert math.isnan(read.proofs[1].likeness.rest)
    assert [read.is_named(key) for key in ("level", "decay", "pitch")] == [True, False, False]


def test_another_state_has_none(tmp_path, proven):
    mark_own(tmp_path)
    assert read_controls(tmp_path, "abc") is None
    write_controls(tmp_path, proven, "abc")
    assert read_controls(tmp_path, "abd") is None


def test_what_others_wrote_is_not_believed(tmp_path, proven):
    """A name is a promise, and a folder that comes from elsewhere may promise anything."""
    mark_own(tmp_path / "one")
    mark_own(tmp_path / "two")
    write_controls(tmp_path / "one", proven, "abc")
    content = (tmp_path / "one" / CONTROLS_RECORD).read_text()
    (tmp_path / "two" / CONTROLS_RECORD).write_text(content)
    assert read_controls(tmp_path / "two", "abc") is None
    values = json.loads(content)
    values["proofs"][1]["correlation"] = [1.0, 1.0, 1.0]
    (tmp_path / "one" / CONTROLS_RECORD).write_text(json.dumps(values))
    assert read_controls(tmp_path / "one", "abc") is None
    (tmp_path / "one" / CONTROLS_RECORD).write_text("{")
    assert read_controls(tmp_path / "one", "abc") is None
