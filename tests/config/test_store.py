from pathlib import Path

import pytest
from hydra.errors import ConfigCompositionException
from omegaconf import OmegaConf

from sda.config.help import CONFIG_DIR
from sda.config.plain import compose_plain
from sda.config.provenance import explain_choices
from sda.config.running import TrackingConfig
from sda.config.schema import TrainRunConfig
from sda.config.store import auto_preset, layered_config
from sda.errors import ConfigError
from tests.composing import compose_verb


@pytest.mark.parametrize("order", [1, -1])
def test_your_key_wins_over_the_preset_in_any_order(compose_for, order):
    overrides = ["preset=conservative", "regularization.dropout=0.3"][::order]
    config = OmegaConf.to_object(compose_for(300, *overrides))
    assert config.regularization.dropout == config.training.regularization.dropout == 0.3
    assert config.regularization.weight_decay == 0.05
    assert config.training.max_epochs == 100
    assert config.training.val_fraction == 0.1  # split and batch follow the files under every preset


@pytest.mark.parametrize("n_files", [5, 60, 300])
def test_without_hydra_the_same_is_planned(compose_for, n_files):
    """The schema's own defaults are those of `conf/train.yaml`: the model above all."""
    composed = compose_for(n_files)
    plain = OmegaConf.merge(OmegaConf.structured(layered_config(auto_preset())), {"data": {"root": "/sounds"}})
    for config in (composed, plain):
        OmegaConf.update(config, "tracking", OmegaConf.structured(TrackingConfig))
    assert OmegaConf.to_object(plain) == OmegaConf.to_object(composed)
    assert TrainRunConfig().model == OmegaConf.to_object(composed).model == compose_plain({}, Path("/")).model


def test_the_layers_stay_visible(compose_for):
    config = compose_for(18)
    shown = OmegaConf.to_yaml(config)
    assert "dropout: ${preset.dropout}" in shown
    assert "dropout: ${adaptive:${data.file_count},dropout}" in shown


def test_every_shipped_composition_composes(compose_for):
    for path in Path(CONFIG_DIR).glob("*/*.yaml"):
        group = path.parent.name
        assert OmegaConf.to_object(compose_for(18, f"{group}={path.stem}")).data.root
    demo = OmegaConf.to_object(compose_verb("train", "experiment=demo"))
    assert demo.data.root == "experiments/demo/sounds"


def test_a_preset_of_your_own_is_checked_and_the_rest_follows_the_files(compose_for, tmp_path):
    (tmp_path / "preset").mkdir()
    (tmp_path / "preset" / "mine.yaml").write_text("name: mine\ndropout: 0.33\n")
    search = f"hydra.searchpath=[file://{tmp_path}]"
    composed = compose_for(18, "preset=mine", search)
    reasons = [choice.reason for choice in explain_choices(composed, frozenset(), "mine")]
    assert reasons[:2] == ["preset mine", "conservative, chosen for 18 usable files"]
    config = OmegaConf.to_object(composed)
    assert (config.regularization.dropout, config.training.max_epochs, config.preset.name) == (0.33, 100, "mine")
    (tmp_path / "preset" / "mine.yaml").write_text("dropuot: 0.33\n")
    with pytest.raises(ConfigCompositionException, match="dropuot"):
        compose_for(18, "preset=mine", search)


@pytest.mark.parametrize(
    ("override", "message"),
    [("regularization.dropout=1.5", r"regularization\.dropout=1\.5"), ("seed=-1", r"^seed=-1 is out of range")],
)
def test_ranges_are_checked_when_the_configuration_is_settled(compose_for, override, message):
    with pytest.raises(ConfigError, match=message):
        OmegaConf.to_object(compose_for(18, override))


@pytest.mark.parametrize("path", sorted(CONFIG_DIR.glob("hydra/*/*.yaml")), ids=lambda path: path.stem)
def test_launchers_and_sweepers_compose_and_can_be_made(compose_for, path):
    group = f"hydra/{path.parent.name}"
    composed = compose_for(18, f"{group}={path.stem}", return_hydra_config=True)
    chosen = OmegaConf.to_container(OmegaConf.select(composed, group.replace("/", ".")), resolve=True)
    target, settings = chosen.pop("_target_"), {key: value for key, value in chosen.items() if key != "sampler"}
    module, _, name = target.rpartition(".")
    launcher = getattr(pytest.importorskip(module), name)
    extra = {"sampler": None} if "sampler" in chosen else {}
    launcher(**settings, **extra)  # a key that the plugin does not know is an error
