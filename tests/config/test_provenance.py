"""Who chose a value: your key, a preset, a model or the number of files."""

from omegaconf import OmegaConf

from sda.config.provenance import PRESET_KEYS, explain_choices


def test_who_chose_what(compose_for):
    config = compose_for(18, "training.learning_rate=1e-4")
    choices = {choice.key: choice for choice in explain_choices(config, frozenset({"training.learning_rate"}), "auto")}
    assert str(choices["regularization.dropout"]) == "dropout 0.4 (conservative, chosen for 18 usable files)"
    assert str(choices["training.learning_rate"]) == "learning_rate 0.0001 (yours)"
    assert str(choices["training.val_fraction"]) == "val_fraction 0.3 (for 18 usable files)"
    chosen = explain_choices(compose_for(18, "preset=balanced"), frozenset(), "balanced")
    assert {choice.reason for choice in chosen if choice.key in PRESET_KEYS} == {"preset balanced"}
    mixed = explain_choices(
        compose_for(18, "preset=balanced", "preset.dropout=0.1"), frozenset({"preset.dropout"}), "balanced"
    )
    assert str(mixed[0]) == "dropout 0.1 (yours, through preset.dropout)"
    through = explain_choices(compose_for(18, "preset.dropout=0.1"), frozenset({"preset.dropout"}), "auto")
    assert next(choice for choice in through if choice.key == "regularization.dropout").layer == "yours"


def test_a_value_of_an_experiment_file_and_one_of_a_model_are_told_as_theirs(compose_for):
    composed = compose_for(18)
    OmegaConf.update(composed, "training.max_epochs", 7)
    choices = {choice.key: choice for choice in explain_choices(composed, frozenset(), "auto")}
    assert (choices["training.max_epochs"].layer, choices["training.max_epochs"].value) == ("experiment", 7)
    assert choices["training.latent_dim"].layer == "model"
    assert choices["training.latent_dim"].reason == f"model {composed.model.name.value}"
    assert (choices["training.crop_fraction"].layer, choices["training.crop_fraction"].value) == ("model", 0.5)
    assert choices["training.batch_size"].reason == "for 90 chunks"
