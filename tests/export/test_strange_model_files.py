"""Model files that someone crafted: whatever they hold ends in one clear line, and nothing in them is run."""

import json
import math
import pickle
import struct

import pytest
import torch
from safetensors.torch import save

from sda.app.loading import open_run
from sda.errors import CheckpointError
from sda.export.model_reading import MOST_HEADER_BYTES
from tests.training.test_strange_checkpoints import TENSOR_FILES, Bomb


def refuse(path) -> str:
    with pytest.raises(CheckpointError) as caught:
        open_run(str(path), "cpu")
    text = str(caught.value)
    assert str(path) in text
    assert "\n" not in text
    assert text.isprintable()
    return text


@pytest.mark.parametrize("what", TENSOR_FILES)
def test_what_is_no_model_is_refused(tmp_path, what):
    path = tmp_path / "model.sda"
    path.write_bytes(TENSOR_FILES[what])
    assert "is no model file that can be used" in refuse(path)


def test_a_pickle_runs_nothing(tmp_path):
    path = tmp_path / "model.sda"
    path.write_bytes(pickle.dumps(Bomb(tmp_path / "ran")))
    refuse(path)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("length", [2**63, MOST_HEADER_BYTES + 1, 10_000_000, 0])
def test_a_header_that_is_too_long_or_not_there_is_not_read(file, length):
    content = file.read_bytes()
    with file.open("wb") as spoilt:
        spoilt.write(struct.pack("<Q", length) + content[8:])
        spoilt.truncate(2 * MOST_HEADER_BYTES if length == MOST_HEADER_BYTES + 1 else len(content))
    assert "does not begin as safetensors do" in refuse(file)


def test_tensors_of_somebody_elses_are_told(tmp_path):
    path = tmp_path / "model.safetensors"
    path.write_bytes(save({"weight": torch.zeros(3)}, metadata={"format": "pt"}))
    assert "nothing that sda wrote of them" in refuse(path)


@pytest.mark.parametrize("place", [20, 3000, -1])
def test_a_byte_that_changed_is_noticed(file, place):
    content = bytearray(file.read_bytes())
    content[place] ^= 1
    file.write_bytes(content)
    refuse(file)


def test_a_file_that_was_cut_off_is_noticed(file):
    file.write_bytes(file.read_bytes()[:-100])
    assert "damaged: its content does not match its hash" in refuse(file)


FACTS = {
    "a later version": (("schema", 2), "written by a later version of sda"),
    "a schema that is text": (("schema", "1"), "schema is text"),
    "no epoch": (("epoch", -1), "its epoch is none"),
    "a name that leads out": (("name", "../../etc/cron"), "its name is none of a file"),
    "a licence that moves the cursor": (("license", "CC\x1b[2J"), "is no text that is taken"),
    "a licence of two lines": (("license", "CC\nBY"), "is no text that is taken"),
    "recordings that lead out": (("prior", "names", ["../a.wav", "b", "c"]), "no name of a recording"),
    "recordings from the root": (("prior", "names", ["/etc/passwd", "b", "c"]), "no name of a recording"),
    "recordings that move the cursor": (("prior", "names", ["a\x1b[2J", "b", "c"]), "no name of a recording"),
    "recordings twice": (("prior", "names", ["a", "a", "c"]), "are missing, or there twice"),
    "fewer recordings than the bank": (("prior", "names", ["a", "b"]), "its bank"),
    "an unknown prior": (("prior", "name", "os.system"), "holds no prior"),
    "a prior that is not one": (("prior", "name", "auto"), "holds no prior"),
    "files that lead out": (("files", {"../../x": "0" * 64}), "no name of a recording"),
    "hashes that are none": (("files", {"x": "../" * 20}), "no hash of a recording"),
    "a split of other files": (("split", "set_aside", ["x"]), "no stretch of a recording"),
    "a split that goes back": (("split", "val", [["recording 3", -1.0, None]]), "no stretch of a recording"),
    "figures that are text": (("figures", {"x": "y"}), "where a number belongs"),
    "figures without end": (("figures", {"x": math.inf}), "it holds Infinity where a number belongs"),
    "a configuration that is a list": (("config", []), "config is a list"),
    "a model by another's name": (("config", "model", "name", "os.system"), "configuration is none"),
    "a key of its own": (("config", "model", "_target_", "os.system"), "configuration is none"),
    "terabytes": (("config", "training", "latent_dim", 4096), "does not fit its own configuration"),
    "petabytes": (("config", "audio", "n_mels", 2**40), "cannot be used"),
    "a chunk without end": (("config", "training", "chunk_duration_s", 1e300), "cannot be used"),
    "frames that cannot be": (("config", "model", "frames_per_latent", 3), "describes no network"),
    "another network": (("config", "model", "name", "mel_vae"), "does not fit its own configuration"),
    "another size": (("config", "model", "size", "base"), "does not fit its own configuration"),
    "controls that are none": (("controls", {"directions": {}, "proofs": "x"}), "holds controls that are none"),
    "a direction of another model": (
        ("controls", {"directions": {"brightness": {"latents": [1.0], "more_noise": 0.0}}, "proofs": []}),
        "direction of brightness is none of this model",
    ),
    "a direction by another name": (
        ("controls", {"directions": {"\x1b[2J": {"latents": [0.0] * 8, "more_noise": 0.0}}, "proofs": []}),
        "holds controls that are none",
    ),
    "a direction without end": (
        ("controls", {"directions": {"brightness": {"latents": [1e300] * 8, "more_noise": 0.0}}, "proofs": []}),
        "beyond all that is measured",
    ),
}


@pytest.mark.parametrize("what", FACTS)
def test_facts_that_cannot_be_are_refused(craft, what):
    (*way, value), message = FACTS[what]

    def change(facts):
        for key in way[:-1]:
            facts = facts[key]
        facts[way[-1]] = value

    assert message in refuse(craft(facts=change))


def test_facts_that_are_missing_are_named(craft):
    assert "epoch is missing" in refuse(craft(facts=lambda facts: facts.pop("epoch")))


def test_what_is_nested_without_end_is_refused(file):
    text = json.dumps({"__metadata__": {"sda": "[" * 200_000}}).encode()
    file.write_bytes(struct.pack("<Q", len(text)) + text)
    assert "is no model file that can be used" in refuse(file)


TENSORS = {
    "not a number in the network": ("model/standardise.mean", lambda one: one * math.nan, "not finite"),
    "infinity in the bank": ("prior/latents", lambda one: one + math.inf, "not finite"),
    "another shape": ("model/standardise.mean", lambda one: torch.zeros(3), "where F32"),
    "another type": ("model/standardise.mean", lambda one: one.double(), "where F32"),
    "a bank of another model": ("prior/latents", lambda one: one[:, :4].contiguous(), "its bank has not the form"),
    "a bank of whole numbers": ("prior/latents", lambda one: one.long(), "its bank has not the form"),
    "an owner that there is not": ("prior/owner", lambda one: one + 7, "its bank holds what cannot be"),
    "edges beyond the bank": ("prior/edges", lambda one: one + 10_000, "its bank has not the form"),
    "lengths below nothing": ("prior/lengths", lambda one: one - 10_000, "its bank holds what cannot be"),
    "rows that go back": ("prior/row", lambda one: -torch.arange(len(one)), "its bank holds what cannot be"),
    "a missing tensor": ("model/standardise.mean", None, "is missing"),
    "a missing part of the bank": ("prior/row", None, "holds no prior"),
}


@pytest.mark.parametrize("what", TENSORS)
def test_tensors_that_cannot_be_are_refused(craft, what):
    name, spoil, message = TENSORS[what]

    def change(tensors):
        value = tensors.pop(name)
        return tensors if spoil is None else tensors | {name: spoil(value)}

    assert message in refuse(craft(tensors=change))


@pytest.mark.parametrize("name", ["../../etc/passwd", "optimizer/0", "average/x"])
def test_tensors_by_other_names_are_refused(craft, name):
    assert "neither the model's nor its prior's" in refuse(craft(tensors=lambda all: all | {name: torch.zeros(2)}))


def test_a_tensor_too_many_is_refused(craft):
    assert "does not fit" in refuse(craft(tensors=lambda all: all | {"model/extra": torch.zeros(2)}))


def test_a_configuration_leads_nowhere(craft):
    def change(facts):
        facts["config"]["data"] |= {"root": "/etc", "cache_dir": "/tmp/cache"}
        facts["config"]["tracking"] = {"uri": "http://stranger"}

    opened = open_run(str(craft(facts=change)), "cpu")
    assert opened.config.data.root == opened.config.data.cache_dir == ""
    assert "stranger" not in opened.config.tracking.uri
