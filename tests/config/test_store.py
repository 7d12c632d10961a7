from dataclasses import dataclass
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra.errors import ConfigCompositionException
from omegaconf import OmegaConf

from sda.app.hydra_call import CONFIG_DIR
from sda.config.provenance import PRESET_KEYS, explain_choices
from sda.config.resolvers import register_resolvers
from sda.config.schema import TrainRunConfig
from sda.config.store import prefer_own_choices
from sda.config.verbs import EvaluateConfig, GenerateConfig
from sda.config_field import describe_settings
from sda.errors import ConfigError
from sda.runs.prepare_data import scan_once
from sda.training.config import get_adaptive_config


@dataclass
class _Folder:
    file_count: int
    n_chunks: int
    gain_db: float = -2.5

    def count_chunks(self, chunk_duration_s: float) -> int:
        return round(self.n_chunks / chunk_duration_s)


@pytest.fixture
def compose_for():
    """Composes as `train.py` does, for a folder of a given size."""

    def build(n_files: int, *overrides: str):
        folder = _Folder(n_files, 5 * n_files)
        register_resolvers(lambda *_: folder)
        return compose("train", overrides=["data.root=/sounds", *overrides])

    prefer_own_choices(CONFIG_DIR)
    with initialize_config_dir(str(CONFIG_DIR), version_base="1.3"):
        yield build
    register_resolvers(scan_once)


@pytest.mark.slow
def test_both_roads_are_one_for_every_count(compose_for):
    composed = compose_for(1, "model=mel_vae")  # whose numbers the defaults without a configuration are
    for n_files in range(1, 501):
        folder = _Folder(n_files, 3 * n_files)
        register_resolvers(lambda *_, folder=folder: folder)
        assert OmegaConf.to_object(composed.training) == get_adaptive_config(n_files, n_chunks=3 * n_files), n_files


@pytest.mark.parametrize("order", [1, -1])
def test_your_key_wins_over_the_preset_in_any_order(compose_for, order):
    overrides = ["preset=conservative", "regularization.dropout=0.3"][::order]
    config = OmegaConf.to_object(compose_for(300, *overrides))
    assert config.regularization.dropout == config.training.regularization.dropout == 0.3
    assert config.regularization.weight_decay == 0.05
    assert config.training.max_epochs == 100
    assert config.training.val_fraction == 0.1  # split and batch follow the files under every preset


def test_the_layers_stay_visible(compose_for):
    config = compose_for(18)
    shown = OmegaConf.to_yaml(config)
    assert "dropout: ${preset.dropout}" in shown
    assert "dropout: ${adaptive:${data.file_count},dropout}" in shown


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


def test_every_shipped_composition_composes(compose_for):
    for path in Path(CONFIG_DIR).glob("*/*.yaml"):
        group = path.parent.name
        assert OmegaConf.to_object(compose_for(18, f"{group}={path.stem}")).data.root
    demo = OmegaConf.to_object(compose("train", overrides=["experiment=demo"]))
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


@pytest.mark.parametrize("schema", [TrainRunConfig, EvaluateConfig, GenerateConfig])
def test_every_key_is_documented(schema):
    rows = describe_settings(schema)
    assert rows
    for key, _, text in rows:
        assert len(text) > 15, key


def test_the_keys_are_these():
    sections = {key.partition(".")[0] for key, _, _ in describe_settings(TrainRunConfig)}
    assert sections == {
        "data", "preset", "training", "regularization", "audio", "model", "augmentation", "preview", "evaluation",
        "prior", "checkpoint", "tracking", "sweep", "seed", "deterministic", "resume", "verbose",
    }  # fmt: skip


@pytest.mark.parametrize("path", sorted(CONFIG_DIR.glob("hydra/*/*.yaml")), ids=lambda path: path.stem)
def test_launchers_and_sweepers_compose_and_can_be_made(compose_for, path):
    group = f"hydra/{path.parent.name}"
    composed = compose("train", overrides=["data.root=/sounds", f"{group}={path.stem}"], return_hydra_config=True)
    chosen = OmegaConf.to_container(OmegaConf.select(composed, group.replace("/", ".")), resolve=True)
    target, settings = chosen.pop("_target_"), {key: value for key, value in chosen.items() if key != "sampler"}
    module, _, name = target.rpartition(".")
    launcher = getattr(pytest.importorskip(module), name)
    extra = {"sampler": None} if "sampler" in chosen else {}
    launcher(**settings, **extra)  # a key that the plugin does not know is an error
