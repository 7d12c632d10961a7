"""What MLflow is told once about a run."""

from datetime import datetime

import pytest

from sda.config.model import ModelConfig, ModelName, ModelSize
from sda.config.schema import TrainRunConfig
from sda.config_field import list_defaults
from sda.runs.tracking_settings import choose_params, name_run

NOON = datetime(2026, 11, 29, 12, 0)


def _configure(model: str = "spectral_vae", **given: str) -> dict[str, str]:
    return list_defaults(TrainRunConfig) | {"model.name": model} | given


@pytest.mark.parametrize("model", [name.value for name in ModelName])
def test_forty_parameters_tell_runs_apart(model):
    params = choose_params(_configure(model), {})
    assert len(params) <= 40
    assert {"regularization.dropout", "training.learning_rate", "training.latent_dim", "preset.name", "seed"} <= set(
        params
    )


def test_no_value_stands_there_twice_and_nothing_of_the_machine():
    params = choose_params(_configure(), {})
    beginnings = {key.split(".")[0] for key in params}
    assert not beginnings & {"tracking", "checkpoint", "preview", "sweep", "resume", "verbose"}
    assert [key for key in params if "dropout" in key] == ["regularization.dropout"]
    assert [key for key in params if "latent_dim" in key] == ["training.latent_dim"]
    assert not {"data.root", "data.cache_dir", "training.device", "training.num_workers"} & set(params)


def test_keys_of_another_model_are_left_out():
    assert "model.energy_weight" not in choose_params(_configure("spectral_vae"), {})
    assert "model.energy_weight" in choose_params(_configure("mel_vae"), {})
    assert "model.size" not in choose_params(_configure("mel_vae"), {})


def test_a_detail_is_told_where_it_is_not_what_it_is_by_default():
    assert "augmentation.gain_db" not in choose_params(_configure(), {})
    given = _configure(**{"augmentation.gain_db": "12.0"})
    assert choose_params(given, {})["augmentation.gain_db"] == "12.0"


def test_what_a_sweep_varies_is_always_told():
    swept = {"augmentation.gain_db": "6", "preset": "balanced", "tracking.experiment": "mine", "+data@x": "no key"}
    params = choose_params(_configure(), swept)
    assert params["augmentation.gain_db"] == "6.0", "as it is resolved, though it is the default"
    assert params["preset"] == "balanced", "a group, which has no value of its own"
    assert params["tracking.experiment"] == "sda"
    assert not [key for key in params if "@" in key], "MLflow takes no such name, and would refuse all of them"


def test_a_run_is_called_by_its_sounds_its_time_and_its_model():
    model = ModelConfig(name=ModelName.spectral_vae, size=ModelSize.tiny)
    assert name_run(["/home/a/rain"], model, NOON) == "rain · 11-29 12:00 · spectral_vae tiny"
    assert name_run(["/home/a/rain"], ModelConfig(name=ModelName.mel_vae), NOON) == "rain · 11-29 12:00 · mel_vae"


def test_a_run_on_several_folders_is_called_by_two_or_three_of_them():
    folders = ["/home/a/piano", "/home/a/rain", "/home/b/wind", "/c"]
    beginnings = [name_run(folders[:n], ModelConfig(), NOON).partition(" · ")[0] for n in (2, 3, 4)]
    assert beginnings == ["piano+rain", "piano+rain+wind", "piano+rain+2"]


@pytest.mark.parametrize(
    "folder", ["wet\n\x1b[2J", "\udcff\udcfe", "a\N{RIGHT-TO-LEFT OVERRIDE}b", "long" * 60, "\N{SNOWMAN} été"]
)
def test_a_run_can_be_named_after_any_folder(folder):
    name = name_run([f"/sounds/{folder}"], ModelConfig(), NOON)
    assert name.isprintable()
    assert name.encode()
    assert len(name) < 60
    assert name.endswith(" · 11-29 12:00 · spectral_vae tiny")


def test_the_topmost_folder_has_a_name_too():
    assert name_run(["/"], ModelConfig(), NOON).startswith("/ · ")
