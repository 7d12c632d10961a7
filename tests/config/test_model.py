"""A key of one model is no key of another."""

import pytest

from sda.config.model import (
    MODELS,
    LossWeights,
    ModelConfig,
    ModelName,
    ModelSize,
    SecondPhaseConfig,
    refuse_keys_of_others,
)
from sda.errors import ConfigError
from tests.verbs import TINY

MEL = ModelName.mel_vae


@pytest.mark.parametrize("name", list(ModelName))
def test_what_choosing_a_model_sets_is_its_own(name):
    assert MODELS[name].config.name is name
    refuse_keys_of_others(MODELS[name].config)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (
            {"name": MEL, "size": ModelSize.base},
            "model.size=base is for model=spectral_vae: mel_vae has no such setting",
        ),
        ({"name": MEL, "losses": LossWeights(mel=2.0)}, "model.losses.mel=2.0 is for model=spectral_vae"),
        ({"name": MEL, "second_phase": SecondPhaseConfig(share=0.1)}, "model.second_phase.share=0.1 is for"),
        ({"energy_weight": 1.0}, "model.energy_weight=1.0 is for model=mel_vae"),
    ],
)
def test_a_key_that_the_model_does_not_know_is_refused_by_name(given, words):
    with pytest.raises(ConfigError) as refused:
        refuse_keys_of_others(ModelConfig(**given))
    assert words in str(refused.value)
    assert "Leave it out, or choose model=" in str(refused.value)


def test_pieces_of_chunks_are_refused_for_a_network_that_takes_in_whole_ones(command_line, sounds):
    tiny = [setting for setting in TINY if "chunk_duration" not in setting]
    printed = command_line.run("train", sounds, *tiny, "training.crop_fraction=0.5", code=1)
    assert "training.crop_fraction=0.5 is for model=spectral_vae: mel_vae takes in whole chunks" in printed
    assert not command_line.runs()


def test_on_the_command_line_it_is_refused_before_anything_is_trained(command_line, sounds):
    printed = command_line.run("train", sounds, "model=mel_vae", "model.size=base", code=1)
    assert "model.size=base is for model=spectral_vae" in printed
    assert not command_line.runs()
