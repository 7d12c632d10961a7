"""Which layer decided a value: your key, an experiment file, a preset, or the number of your files."""

from dataclasses import dataclass
from typing import Any

from omegaconf import DictConfig, OmegaConf

from sda.training.presets import choose_preset

PRESET_KEYS = (
    "regularization.dropout",
    "regularization.weight_decay",
    "regularization.augmentation_expansion",
    "regularization.augmentation_strength",
    "regularization.gradient_clip_norm",
    "training.max_epochs",
    "training.learning_rate",
    "training.kl_warmup_fraction",
)
"""Keys that a preset decides unless they are given."""

MODEL_KEYS = ("training.latent_dim", "training.crop_fraction")
"""Keys that a model decides unless they are given."""

DATA_KEYS = ("training.val_fraction", "training.batch_size")
"""Keys that follow the data under every preset unless they are given."""


@dataclass(frozen=True)
class Choice:
    """One value and who chose it."""

    key: str
    value: Any
    layer: str
    """`yours`, `experiment`, `preset`, `model` or `auto`."""
    reason: str
    """The same in words."""

    def __str__(self) -> str:
        return f"{self.key.rpartition('.')[2]} {self.value:g} ({self.reason})"


def explain_choices(config: DictConfig, given_keys: frozenset[str], preset_choice: str) -> list[Choice]:
    """Say of every adaptive key what it is and which layer decided it.

    Args:
        config: the composed training configuration, unresolved.
        given_keys: keys on the command line, such as `regularization.dropout`.
        preset_choice: the option chosen in the group `preset`.
    """
    choices = []
    for key in (*PRESET_KEYS, *MODEL_KEYS, *DATA_KEYS):
        section, _, field = key.rpartition(".")
        if key in given_keys:
            layer, reason = "yours", "yours"
        elif not OmegaConf.is_interpolation(OmegaConf.select(config, section), field):
            layer, reason = "experiment", "from the experiment file"
        elif key in PRESET_KEYS:
            layer, reason = _explain_preset(config, field, given_keys, preset_choice)
        elif key in MODEL_KEYS:
            layer, reason = "model", f"model {config.model.name.value}"
        else:
            found = (
                f"{config.data.file_count} usable files"
                if field == "val_fraction"
                else f"{config.data.n_chunks} chunks"
            )
            layer, reason = "auto", f"for {found}"
        choices.append(Choice(key, OmegaConf.select(config, key), layer, reason))
    return choices


def _explain_preset(config: DictConfig, field: str, given_keys: frozenset[str], preset_choice: str) -> tuple[str, str]:
    """Layer and reason of a value that comes from the preset: given there, written in it, or left to the files."""
    if f"preset.{field}" in given_keys:
        return "yours", f"yours, through preset.{field}"
    if OmegaConf.is_interpolation(config.preset, field):
        n_files = config.data.file_count
        return "auto", f"{choose_preset(n_files).value}, chosen for {n_files} usable files"
    return "preset", f"preset {preset_choice}"
