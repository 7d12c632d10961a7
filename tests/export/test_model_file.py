"""A model in one file: the same sound as before, bit for bit, and nothing of whose sounds or folders they were."""

import hashlib
import json

import torch
from safetensors import safe_open

from sda.app.loading import open_run
from sda.export.description import hide_places
from sda.export.model_file import DIGEST, ENTRY, NO_DIGEST, write_model_file
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


def test_no_place_on_the_machine_is_told(file, description):
    content = file.read_bytes()
    assert not any(secret in content for secret in (b"home", b"mlflow.db", b"experiment"))
    assert hide_places(GIVEN)["data"] == {"root": "", "group_by": "", "cache_dir": ""}
    assert "tracking" not in description.config
