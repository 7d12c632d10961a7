"""A training that begins with the weights of an earlier model."""

import shutil

import pytest
import torch
from safetensors.torch import load_file

from sda.training.checkpoint import TENSORS
from tests.verbs import TINY

pytestmark = pytest.mark.slow

STAYS = "training.learning_rate=1e-12"
"""Weights stay where they begin."""


def _read_weights(run_dir):
    tensors = load_file(run_dir / "checkpoints" / "best" / TENSORS)
    return {key: value for key, value in tensors.items() if key.startswith("model/") and value.is_floating_point()}


def _differ(first, second):
    """The names of what is not the same, to rounding."""
    return {key for key in first if not torch.allclose(first[key], second[key], atol=1e-4)}


def test_weights_are_those_of_the_earlier_model(command_line, sounds, make_textures):
    others = make_textures("others", 4, duration_s=1.5)
    small = ("training.max_epochs=1", "tracking=none", "evaluation.at_end=none", *TINY)

    def train(root, *arguments):
        told = command_line.run("train", root, *small, *arguments)
        return command_line.runs()[-1], told

    first, _ = train(sounds)
    kept, told = train(f"data.root={others}", "init_from=last", "init_statistics=kept", STAYS)
    assert f"begins with the weights of {first}: what it heard before is not searched for replays" in told
    assert _differ(_read_weights(kept), _read_weights(first)) == set()
    refitted, _ = train(f"data.root={others}", f"init_from={first}", STAYS)
    other = _differ(_read_weights(refitted), _read_weights(first))
    assert other
    assert all("standardise" in key for key in other)
    anew, _ = train(f"data.root={others}", STAYS)
    assert len(_differ(_read_weights(anew), _read_weights(first))) > len(other)
    refused = command_line.run(
        "train", f"data.root={others}", *small, f"init_from={first}", "training.latent_dim=7", code=1
    )
    assert "training.latent_dim is 8 there and 7 here. To begin with it: training.latent_dim=8" in refused
    missing = command_line.run("train", f"data.root={others}", *small, "init_from=/nowhere", code=1)
    assert "/nowhere" in missing
    shutil.rmtree(first)
    command_line.run("train", f"resume={kept}", "training.max_epochs=2")
