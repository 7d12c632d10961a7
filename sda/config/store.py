"""Registration in Hydra's ConfigStore: the schema, linked into the layers auto → preset → your key.

The nodes are instances whose values are interpolations; the dataclasses keep plain numbers. A key given on the
command line, in an experiment or in a sweep replaces its interpolation and so wins, in any order.
"""

from collections.abc import Callable
from dataclasses import fields
from typing import Any, TypeVar

from hydra.core.config_store import ConfigStore
from hydra.core.plugins import Plugins

from sda.config.data import DataConfig
from sda.config.help import CONFIG_DIR, SCHEMAS, write_help
from sda.config.model import MODELS
from sda.config.running import TrackingBackend, TrackingConfig
from sda.config.schema import ScanConfig, TrainRunConfig
from sda.training.config import RegularizationConfig, TrainingConfig
from sda.training.presets import PRESETS, Preset

Section = TypeVar("Section")

_GROUPS = "\0"
"""Stands for the groups in a help text, which Hydra lists."""
_SCAN = "${data.root},${data.min_duration_s},${data.silence_dbfs},${data.cache_dir},${audio.sample_rate_hz}"


def register_configs(verb: str) -> None:
    """Put what composing a verb takes into the ConfigStore: its schema and help text, and the groups it chooses from.

    Of one verb alone, as Hydra looks at every field when it stores a schema. What is there is not put there again.
    """
    store = ConfigStore.instance()
    schema = f"{verb}_schema"
    if f"{schema}.yaml" in store.repo:
        return
    _prefer_own_choices()
    if verb in _LAYERED:
        auto = auto_preset()
        store.store(name=schema, node=_LAYERED[verb](auto))
        _register_groups(store, auto)
    else:
        store.store(name=schema, node=SCHEMAS[verb])
    text = write_help(verb, _GROUPS).replace("$", "$$").replace(_GROUPS, "$APP_CONFIG_GROUPS")  # it is a template
    help_node = {"app_name": verb, "header": "", "footer": "", "template": text}
    store.store(group="hydra/help", name=f"sda_{verb}", node=help_node)


def _register_groups(store: ConfigStore, auto: Preset) -> None:
    """Presets, models and tracking backends."""
    store.store(group="preset", name="auto", node=auto)
    for preset in PRESETS.values():
        store.store(group="preset", name=preset.name, node=preset)
    for name, model in MODELS.items():
        store.store(group="model", name=name.name, node=model.config)
    for backend in TrackingBackend:
        places = {"uri": "${tracking_uri:}", "experiment": "${tracking_experiment:}"}
        store.store(group="tracking", name=backend.name, node=_linked(TrackingConfig, backend=backend, **places))


def _prefer_own_choices() -> None:
    """Let our launchers and sweepers take the place of those that plugins bring under the same names.

    Hydra would take the plugin's for a schema of ours, and warn that it will not for long.
    """
    Plugins.instance()  # lets plugins register theirs
    repository = ConfigStore.instance().repo
    for path in CONFIG_DIR.glob("hydra/**/*.yaml"):
        group = repository
        for part in path.relative_to(CONFIG_DIR).parent.parts:
            group = group.get(part, {})
        group.pop(path.name, None)


def auto_preset() -> Preset:
    """The preset whose every field follows the number of usable files."""
    return _linked(Preset, **{item.name: f"${{adaptive:${{data.file_count}},{item.name}}}" for item in fields(Preset)})


def layered_config(preset: Preset) -> TrainRunConfig:
    """The training configuration whose advanced keys follow `preset` and the folder until they are given."""
    return TrainRunConfig(
        data=_linked(
            DataConfig,
            file_count=f"${{count_files:{_SCAN}}}",
            gain_db=f"${{find_gain:{_SCAN}}}",
            n_chunks=f"${{count_chunks:{_SCAN},${{training.chunk_duration_s}}}}",
        ),
        preset=preset,
        training=_linked(
            TrainingConfig,
            max_epochs="${preset.max_epochs}",
            learning_rate="${preset.learning_rate}",
            kl_warmup_fraction="${preset.kl_warmup_fraction}",
            preset="${preset.guard}",
            val_fraction="${val_fraction:${data.file_count}}",
            batch_size="${batch_size:${data.n_chunks},${model.largest_batch}}",
            latent_dim="${model.latent_dim}",
            crop_fraction="${model.crop_fraction}",
            regularization="${regularization}",
        ),
        regularization=_linked(
            RegularizationConfig,
            dropout="${preset.dropout}",
            weight_decay="${preset.weight_decay}",
            augmentation_expansion="${preset.augmentation_expansion}",
            augmentation_strength="${preset.augmentation_strength}",
            gradient_clip_norm="${preset.gradient_clip_norm}",
        ),
    )


def _layered_scan_config(preset: Preset) -> ScanConfig:
    """The same layers, for the verb that only looks."""
    layers = layered_config(preset)
    return ScanConfig(
        data=layers.data, preset=layers.preset, training=layers.training, regularization=layers.regularization
    )


_LAYERED: dict[str, Callable[[Preset], TrainRunConfig | ScanConfig]] = {
    "train": layered_config,
    "scan": _layered_scan_config,
}
"""Verbs whose keys follow a preset; every other one's schema is its dataclass."""


def _linked(section: type[Section], **links: Any) -> Section:
    """A section some of whose fields are interpolations; OmegaConf checks their type when they are resolved."""
    return section(**links)
