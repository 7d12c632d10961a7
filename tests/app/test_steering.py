"""Controls as a user turns them: those with a name, those without, and those that are not there."""

import json
import shlex
from dataclasses import replace

import numpy as np
import pytest
import soundfile
import torch

from sda.app.steering import build_steering, build_wanted, list_turned, needs_controls
from sda.audio.descriptors import CorpusRange, Describer
from sda.bootstrap import Estimate
from sda.config.verbs import GenerateConfig
from sda.config_field import list_traits
from sda.errors import ConfigError
from sda.evaluation.controls import ControlProof, ProvenControls, number_axis
from sda.generation.controls import ORDER, Controls
from sda.generation.loudness import LoudnessScale
from sda.generation.steering import Direction
from sda.runs.generated_record import write_command
from tests.verbs import TINY

SURE, UNSURE = Estimate(1.0, 1.0, 1.0), Estimate(0.3, -0.4, 0.9)


@pytest.fixture
def proven():
    """Level and brightness keep their word, noisiness moves brightness along, roughness does nothing."""
    level = ControlProof("level", 5.0, CorpusRange(-30.0, -15.0), SURE, SURE, {"brightness": 0.0}, 5)
    proofs = [
        level,
        replace(level, key="brightness", reach=0.5, leakage={"level": 0.1}),
        replace(level, key="noisiness", reach=0.2, leakage={"brightness": 0.4}),
        replace(level, key="roughness", reach=0.1, correlation=UNSURE),
    ]
    directions = {proof.key: Direction(torch.ones(3)) for proof in proofs}
    ranges = {proof.key: proof.corpus for proof in proofs} | {"pitch": CorpusRange(7.0, 9.0)}
    return ProvenControls(Controls(LoudnessScale(1, 8.0, 0.04), directions), proofs, ranges)


def test_controls_and_axes_are_keys_in_one_order():
    keys = [key for key, traits in list_traits(GenerateConfig).items() if traits.is_control]
    assert keys == [*ORDER, *(f"axis_{number_axis(key)}" for key in ORDER)]


def test_what_is_turned_is_what_was_given():
    config = GenerateConfig(run="last", brightness=0.5, level=0, axis_3="0:0,1:1")
    assert list_turned(config) == {"brightness": 0.5, "axis_3": "0:0,1:1"}
    assert list_turned(GenerateConfig(run="last")) == {}


def test_a_control_that_keeps_its_word_is_turned_by_its_name(proven):
    steering = build_steering(proven, {"brightness": "0:0,1:0.5", "level": -3.0})
    assert [curve.describe() for _, curve in steering.moves] == ["0:0,1:0.5", -3.0]


def test_one_that_does_not_is_turned_by_its_number(proven):
    assert len(build_steering(proven, {"axis_6": 0.1, "axis_3": 0.1}).moves) == 2


@pytest.mark.parametrize(
    ("turned", "words"),
    [
        ({"roughness": 0.1}, r"roughness=0\.1: on this model .* does not follow it .*axis_6=…"),
        ({"noisiness": 0.1}, r"noisiness=0\.1: .* it moves brightness too\. .*axis_3=…"),
        ({"decay": 5}, r"decay=5 is not possible with this model: its sounds have no decay"),
        ({"brightness": 2.0}, r"brightness=2\.0 is out of range: allowed is at least -1\.5 and at most 1\.5"),
        ({"brightness": "0:0,1:9"}, r"brightness=0:0,1:9 is out of range: 9 at 1 s"),
        ({"brightness": "bright"}, r"brightness=bright: 'bright' is no number"),
        ({"level": 1.0, "axis_1": 1.0}, r"axis_1=1\.0: it is turned twice, as level and as axis_1"),
    ],
)
def test_what_cannot_be_turned_is_refused_with_what_to_do(proven, turned, words):
    with pytest.raises(ConfigError, match=words):
        build_steering(proven, turned)


def test_a_loop_goes_round_and_so_must_what_steers_it(proven):
    build_steering(proven, {"level": 3.0}, is_loop=True)
    with pytest.raises(ConfigError, match="would break the loop"):
        build_steering(proven, {"level": "0:0,1:3"}, is_loop=True)


def test_what_is_wanted_is_moved_by_controls_that_keep_their_word_alone(proven):
    wanted = build_wanted(proven, "brightness:0.9,noisiness:0.2,pitch:0.5", {"level": -3.0}, gain=2.0)
    assert wanted.places == {"brightness": 0.9, "noisiness": 0.2, "pitch": 0.5}
    assert wanted.reaches == {"level": 5.0, "brightness": 0.5}
    assert (wanted.ranges["pitch"], wanted.gain) == (CorpusRange(7.0, 9.0), 2.0)
    steering = wanted.steer({"brightness": 0.25})
    assert [curve.describe() for _, curve in steering.moves] == [-3.0, 0.25], "beside what is turned"


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ("density:0.5", r"wanted=density:0\.5 is not possible with this run: its sounds have no density"),
        (
            "pitch:0.1,level:0.5",
            r"wanted=pitch:0\.1,level:0\.5: level is turned as a control too",
        ),
    ],
)
def test_what_cannot_be_wanted_is_refused_with_what_to_do(proven, wanted, words):
    with pytest.raises(ConfigError, match=words):
        build_wanted(proven, wanted, {"axis_1": 1.0})


def test_controls_are_needed_where_they_are_turned_or_something_is_wanted():
    assert needs_controls(GenerateConfig(run="last", brightness=0.5))
    assert needs_controls(GenerateConfig(run="last", wanted="pitch:0.5"))
    assert not needs_controls(GenerateConfig(run="last"))


def _read_level_db(path):
    sound, _ = soundfile.read(path)
    return 10 * np.log10(np.square(sound).mean())


@pytest.mark.slow
def test_a_sound_is_louder_when_its_level_is_turned_up(command_line, sounds):
    settings = [setting for setting in TINY if not setting.startswith("model=")]
    command_line.run("train", sounds, *settings, "model=spectral_vae", "training.max_epochs=2", "tracking=none")
    (run_dir,) = command_line.runs()
    quick = ("run=last", "n=1", "duration_s=1", "seed=3")
    command_line.run("generate", *quick, "output=plain")
    assert not (run_dir / "controls.json").exists()
    text = command_line.run("generate", *quick, "level=-6", "output=quieter")
    assert "finding this model's controls" in text
    text = command_line.run("generate", *quick, "level=-6", "output=again")
    assert "finding" not in text
    folder = command_line.folder
    plain, quieter = (_read_level_db(folder / name / "sound_001.wav") for name in ("plain", "quieter"))
    assert quieter - plain == pytest.approx(-6.0, abs=1.0)
    assert (folder / "quieter" / "sound_001.wav").read_bytes() == (folder / "again" / "sound_001.wav").read_bytes()
    assert json.loads((folder / "quieter" / "generated.json").read_text())["level"] == -6
    text = command_line.run("generate", *quick, "level=loud", "output=no", code=1)
    assert "level=loud" in text
    assert not (folder / "no").exists()
    _sounds_are_as_loud_as_they_are_wanted(command_line, run_dir)


def _sounds_are_as_loud_as_they_are_wanted(command_line, run_dir):
    quick = ("run=last", "duration_s=1", "seed=3")
    command_line.run("generate", *quick, "n=2", "wanted=level:0.9,brightness:0.5")
    command_line.run("generate", *quick, "n=1", "wanted=level:0.1,brightness:0.5", "output=low")
    made = run_dir / "generated" / "sample_seed_3"
    record = json.loads((made / "generated.json").read_text())
    assert record["wanted"] == "level:0.9,brightness:0.5"
    for file in record["files"]:
        sound, _ = soundfile.read(made / file["file"], dtype="float32")
        described = Describer(16000)(torch.from_numpy(sound))
        for key, found in file["wanted"].items():
            assert found["value"] == pytest.approx(described[key], abs=0.02)
        assert file["provenance"]["shares"]
    low = json.loads((command_line.folder / "low" / "generated.json").read_text())["files"][0]["wanted"]["level"]
    high = record["files"][0]["wanted"]["level"]
    assert (low["wanted"], high["wanted"]) == (0.1, 0.9)
    assert low["place"] + 0.2 < high["place"]
    assert low["value"] + 1.0 < high["value"]
    _, _, *again = shlex.split(write_command(record, 2))
    command_line.run("generate", *again, "output=repeated")
    for file in record["files"]:
        assert (command_line.folder / "repeated" / file["file"]).read_bytes() == (made / file["file"]).read_bytes()
    text = command_line.run("generate", "run=last", "mode=vary", "wanted=level:0.9", code=1)
    assert "wanted=level:0.9 has no use with mode=vary, which draws nothing to choose from: use mode=sample or" in text
    text = command_line.run("generate", "run=last", "wanted=loudness:0.9", code=1)
    assert "there is no descriptor loudness" in text


@pytest.mark.slow
def test_a_model_without_loudness_has_no_controls(command_line, sounds):
    command_line.run("train", sounds, "training.max_epochs=1", "tracking=none", *TINY)
    text = command_line.run("generate", "run=last", "n=1", "duration_s=0.5", "level=3", code=1)
    assert "model=mel_vae has no controls" in text
    text = command_line.run("generate", "run=last", "n=1", "duration_s=0.5", "wanted=pitch:0.5", code=1)
    assert "model=mel_vae has no controls" in text
