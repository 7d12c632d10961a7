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


def test_on_the_command_line_it_is_refused_before_anything_is_trained(command_line, sounds):
    printed = command_line.run("train", sounds, "model=mel_vae", "model.size=base", code=1)
    assert "model.size=base is for model=spectral_vae" in printed
    assert not command_line.runs()
