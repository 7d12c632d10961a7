"""Which layer decided a value: your key, an experiment file, a preset, or the number of your files."""

from dataclasses import dataclass
from typing import Any

from omegaconf import DictConfig, OmegaConf

PRESET_KEYS = (
    "regularization.dropout",
    "regularization.weight_decay",
    "regularization.augmentation_expansion",
    "regularization.gradient_clip_norm",
    "training.max_epochs",
    "training.learning_rate",
    "training.kl_warmup_fraction",
)
"""Keys that a preset decides unless they are given."""

DATA_KEYS = ("training.val_fraction", "training.batch_size")
"""Keys that follow the data under every preset unless they are given."""


@dataclass(frozen=True)
class Choice:
    """One value and who chose it."""

    key: str
    value: Any
    layer: str
    """`yours`, `experiment`, `preset` or `auto`."""
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
    n_files = config.data.file_count
    name = config.preset.name
    by_auto = f"{name}, chosen for {n_files} usable files"
    by_preset = by_auto if preset_choice == "auto" else f"preset {name}"
    choices = []
    for key in (*PRESET_KEYS, *DATA_KEYS):
        section, _, field = key.rpartition(".")
        node = OmegaConf.select(config, section)
        if OmegaConf.is_interpolation(node, field):
            is_preset_key = key in PRESET_KEYS
            if is_preset_key and not OmegaConf.is_interpolation(config.preset, field) and preset_choice == "auto":
                layer, reason = "yours", "yours, through preset." + field
            elif is_preset_key:
                layer, reason = ("auto" if preset_choice == "auto" else "preset"), by_preset
            else:
                layer = "auto"
                reason = (
                    f"for {n_files} usable files" if field == "val_fraction" else f"for {config.data.n_chunks} chunks"
                )
        elif key in given_keys:
            layer, reason = "yours", "yours"
        else:
            layer, reason = "experiment", "from the experiment file"
        choices.append(Choice(key, OmegaConf.select(config, key), layer, reason))
    return choices
