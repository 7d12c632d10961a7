"""A model in one file: the same sound as before, bit for bit, and nothing of whose sounds or folders they were."""

import hashlib
import json
from dataclasses import replace

import pytest
import torch
from safetensors import safe_open

import sda
from sda.app.loading import open_run
from sda.app.played_run import open_for_page
from sda.app.steering import find_controls, find_known_controls
from sda.bootstrap import Estimate
from sda.config.verbs import GenerateConfig, WhichCheckpoint
from sda.errors import DataError
from sda.evaluation.controls import ControlProof, CorpusRange, ProvenControls
from sda.export.description import hide_places
from sda.export.model_file import DIGEST, ENTRY, NO_DIGEST, write_model_file
from sda.generation.controls import Controls
from sda.generation.steering import Direction
from tests.export.conftest import GIVEN


def test_what_comes_of_a_file_is_what_came_of_the_model_bit_for_bit(model, file):
    opened = open_run(str(file), "cpu")
    for seed in (0, 7):
        path = model.sample(30, seed)
        again = opened.synthesizer.sample(30, seed)
        assert torch.equal(path, again)
        heard = model.decode(path, 30 * model.hop_samples, seed)
        assert heard.abs().max() > 0
        assert torch.equal(heard, opened.synthesizer.decode(again, 30 * model.hop_samples, seed))


def test_a_file_is_a_strangers_and_knows_no_sound_of_this_machine(file):
    opened = open_run(str(file), "cpu")
    assert not opened.is_own
    assert opened.known == {}
    assert opened.split.train == opened.split.val == ()
    assert opened.sound_folders == []
    assert opened.description.license == "CC BY 4.0"
    assert opened.description.holds_sound
    assert opened.synthesizer.prior.names == ["recording 1", "recording 2", "recording 3"]


def test_the_same_model_gives_the_same_bytes(model, description, file, tmp_path):
    (tmp_path / "again").mkdir()
    (again,) = write_model_file(model, description, tmp_path / "again")
    assert again.read_bytes() == file.read_bytes()


def test_the_hash_is_of_all_that_is_there(file):
    content = file.read_bytes()
    with safe_open(file, "pt") as opened:
        digest = json.loads(opened.metadata()[ENTRY])[DIGEST]
    assert hashlib.sha256(content.replace(digest.encode(), NO_DIGEST.encode())).hexdigest() == digest


def test_controls_travel_and_are_believed_as_far_as_the_file_goes(model, description, tmp_path):
    leakage = {"level": 0.1}
    proof = ControlProof("brightness", 0.8, CorpusRange(9.0, 12.0), Estimate(0.95, 0.9, 1.0), Estimate(0.8), leakage, 6)
    latents = torch.arange(8.0) / 7
    controls = Controls(model.loudness, {"brightness": Direction(latents, 0.25)})
    said = replace(description, controls=ProvenControls(controls, [proof], {"level": CorpusRange(-30.0, -12.0)}))
    (path,) = write_model_file(model, said, tmp_path)
    run = open_run(str(path), "cpu")
    found = find_known_controls(run)
    assert torch.equal(found.controls.directions["brightness"].latents, latents)
    assert found.is_named("brightness")
    assert found.ranges == said.controls.ranges
    known = replace(run, places=dict.fromkeys(description.files, "/sounds/a.wav"))
    assert find_known_controls(known) is None, "where its sounds are, they are tried anew"


def test_controls_that_were_not_tried_are_not_there(file):
    run = open_run(str(file), "cpu")
    assert find_known_controls(run) is None
    with pytest.raises(DataError, match="holds no controls that were tried, and not the sounds to try them on"):
        find_controls(run)


def test_the_page_opens_a_file_and_writes_beside_it(file, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    opened = open_for_page(file, "cpu", WhichCheckpoint.best)
    assert not opened.recordings
    assert not opened.held_out
    folder = opened.generate(GenerateConfig(run=str(file), n=1, duration_s=0.2), lambda sounds, n: sounds)
    assert folder == tmp_path / "generated" / "rain.sda" / "sample_seed_0"
    assert len(list(folder.glob("*.wav"))) == 1
    assert {place["name"] for place in opened.read_map()} <= {"recording 1", "recording 2", "recording 3"}


def test_python_loads_a_file_too(model, file):
    loaded = sda.load(file)
    assert loaded.recordings == model.prior.names
    assert len(loaded.sample(seconds=0.2, seed=3)) > 0


def test_no_place_on_the_machine_is_told(file, description):
    content = file.read_bytes()
    assert not any(secret in content for secret in (b"home", b"mlflow.db", b"experiment"))
    assert hide_places(GIVEN)["data"] == {"root": "", "group_by": "", "cache_dir": ""}
    assert "tracking" not in description.config
    assert hide_places({**GIVEN, "init_from": "/home/ada", "resume": "/home/ada"}).items() >= {
        "init_from": "an earlier model", "resume": None
    }.items()  # fmt: skip
