"""Registration in Hydra's ConfigStore: the schema, linked into the layers auto → preset → your key.

The nodes are instances whose values are interpolations; the dataclasses keep plain numbers. A key given on the
command line, in an experiment or in a sweep replaces its interpolation and so wins, in any order.
"""

from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

from hydra.core.config_store import ConfigStore
from hydra.core.plugins import Plugins

from sda.config.data import DataConfig
from sda.config.export import ExportConfig
from sda.config.model import MODELS
from sda.config.play import PlayConfig
from sda.config.running import TrackingBackend, TrackingConfig
from sda.config.schema import ScanConfig, TrainRunConfig
from sda.config.verbs import CompareConfig, EvaluateConfig, GenerateConfig
from sda.config_field import describe_settings
from sda.shell import name_command
from sda.training.config import RegularizationConfig, TrainingConfig
from sda.training.presets import PRESETS, Preset

Section = TypeVar("Section")

_SCAN = "${data.root},${data.min_duration_s},${data.silence_dbfs},${data.cache_dir},${audio.sample_rate_hz}"


def register_configs() -> None:
    """Put schema, presets, tracking backends and help texts into the ConfigStore."""
    store = ConfigStore.instance()
    auto = auto_preset()
    store.store(name="train_schema", node=layered_config(auto))
    store.store(name="scan_schema", node=_scan_config(layered_config(auto)))
    store.store(name="evaluate_schema", node=EvaluateConfig)
    store.store(name="generate_schema", node=GenerateConfig)
    store.store(name="compare_schema", node=CompareConfig)
    store.store(name="play_schema", node=PlayConfig)
    store.store(name="export_schema", node=ExportConfig)
    store.store(group="preset", name="auto", node=auto)
    for preset in PRESETS.values():
        store.store(group="preset", name=preset.name, node=preset)
    for name, model in MODELS.items():
        store.store(group="model", name=name.name, node=model.config)
    for backend in TrackingBackend:
        places = {"uri": "${tracking_uri:}", "experiment": "${tracking_experiment:}"}
        store.store(group="tracking", name=backend.name, node=_linked(TrackingConfig, backend=backend, **places))
    for verb, schema in SCHEMAS.items():
        store.store(group="hydra/help", name=f"sda_{verb}", node=_help(verb, schema))


def prefer_own_choices(config_dir: Path) -> None:
    """Let our launchers and sweepers take the place of those that plugins bring under the same names.

    Hydra would take the plugin's for a schema of ours, and warn that it will not for long.
    """
    Plugins.instance()  # lets plugins register theirs
    repository = ConfigStore.instance().repo
    for path in config_dir.glob("hydra/**/*.yaml"):
        group = repository
        for part in path.relative_to(config_dir).parent.parts:
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


def _scan_config(layers: TrainRunConfig) -> ScanConfig:
    """The same layers, for the verb that only looks."""
    return ScanConfig(
        data=layers.data, preset=layers.preset, training=layers.training, regularization=layers.regularization
    )


def _linked(section: type[Section], **links: Any) -> Section:
    """A section some of whose fields are interpolations; OmegaConf checks their type when they are resolved."""
    return section(**links)


SCHEMAS: dict[str, type] = {
    "scan": ScanConfig,
    "train": TrainRunConfig,
    "evaluate": EvaluateConfig,
    "generate": GenerateConfig,
    "compare": CompareConfig,
    "play": PlayConfig,
    "export": ExportConfig,
}
"""What each verb can be told."""
_PURPOSE = {
    "scan": "Look at a folder of sounds before training: what is in it, and what training on it would be like.",
    "train": "Train a generative model on a folder of your own sounds.",
    "evaluate": "Measure what a run learned, on sound it never trained on, and whether it replays what it trained on.",
    "generate": "Write new sounds from a trained run.",
    "compare": "Put runs side by side: which setting is better, by how much, and how sure that is.",
    "play": "Play with a trained run in the browser: a page on this machine alone.",
    "export": "Write a trained model as files that leave its run's folder.",
}
_EXAMPLES: dict[str, tuple[tuple[str, str], ...]] = {
    "scan": (
        ("data.root=~/sounds", "a table here, a page with pictures in scans/"),
        ("data.root=~/sounds preset=balanced", "every key of a training is understood"),
        ("data.root=~/sounds output=/tmp/sounds.html estimate=false", ""),
    ),
    "train": (
        ("data.root=~/sounds", "everything automatic"),
        ("data.root=~/sounds preset=conservative regularization.dropout=0.3", ""),
        ("-m data.root=~/sounds preset=conservative,balanced seed=0,1,2", ""),
        ("-m data.root=~/sounds preset=conservative,balanced seed=0,1,2 sweep.resume=true", ""),
        ("resume=last", "continue the last run"),
        ("data.root=~/sounds --cfg job", "the layers; --resolve shows the numbers"),
    ),
    "evaluate": (
        ("run=last", "numbers here, a page with players in the run's folder"),
        ("run=runs/…/one,runs/…/two", "several runs side by side"),
        ("reference=~/sounds generated=~/new", "any two folders of sound, without a model"),
    ),
    "generate": (
        ("run=last n=8 duration_s=10 seed=7", "new sounds, the same for the same seed"),
        ("run=last mode=reconstruct source=~/voice.wav", "any sound through the model"),
        ("run=last mode=interpolate duration_s=20", "from one held-out sound to the next"),
    ),
    "compare": (
        ("sweep=last", "numbers here, a page with players beside the runs"),
        ("runs=runs/…/one,runs/…/two", "any runs"),
        ("sweep=last objective=mr_stft", ""),
    ),
    "play": (
        ("", "the last run; open the link that is printed"),
        ("run=runs/…/one port=8800 browser=true", "another run, and the browser opens"),
    ),
    "export": (
        ('run=last license="CC BY 4.0"', "one file that can be given as run="),
        ("run=last name=rain names=true", "rain.sda, with the names of its recordings"),
        ("run=last format=nn", "plays in Max, Pure Data and SuperCollider"),
    ),
}
"""What a verb may be given, and what comes of it where that is worth saying."""


def _help(verb: str, schema: type) -> dict[str, str]:
    """Hydra's help node for a verb: every key with its default, effect, unit and range."""
    examples = (f"  {f'{name_command(verb)} {given}':<64} {words}".rstrip() for given, words in _EXAMPLES[verb])
    lines = [f"{_PURPOSE[verb]}\n", *examples, "\nKeys, as key=value:"]
    section = None
    for key, default, text in describe_settings(schema):
        if key.rpartition(".")[0] != section:
            section = key.rpartition(".")[0]
            lines.append("")
        lines.append(f"  {f'{key}={default}':<46} {text}".replace("$", "$$"))  # Hydra takes the text for a template
    if verb in ("scan", "train"):
        lines += [
            "",
            "Defaults of training.* and regularization.* shown here are those of preset=balanced; with preset=auto",
            "they follow the number of usable files. Groups (choose with group=name):",
            "",
            "$APP_CONFIG_GROUPS",
        ]
    lines += ["Flags: --cfg job|hydra|all, --resolve, -m (sweep), -v, --hydra-help", ""]
    return {"app_name": verb, "header": "", "footer": "", "template": "\n".join(lines)}
