"""The presets: what each sets, and which one a number of files asks for; nothing here imports torch.

They are priors, not laws: fewer files need more regularisation.
"""

from dataclasses import dataclass
from enum import Enum

from sda.config_field import check_settings, setting
from sda.errors import ConfigError


class OverfittingPreset(Enum):
    """How strongly a run guards against memorising its sounds."""

    CONSERVATIVE = "conservative"
    """For 5–50 files."""
    BALANCED = "balanced"
    """For 50–200 files."""
    AGGRESSIVE = "aggressive"
    """For 200–500 files."""


@dataclass
class Preset:
    """The numbers a preset decides; `conf/preset/` may add presets of your own."""

    name: str = setting(
        "balanced", "What tracking calls this preset; the name of its file if not given.", repeats=False
    )
    guard: OverfittingPreset = setting(OverfittingPreset.BALANCED, "Which of the three built-in presets it is nearest.")
    dropout: float = setting(0.2, "Sets regularization.dropout.", at_least=0, below=1)
    weight_decay: float = setting(0.01, "Sets regularization.weight_decay.", at_least=0)
    augmentation_expansion: int = setting(10, "Sets regularization.augmentation_expansion.", at_least=0)
    max_epochs: int = setting(200, "Sets training.max_epochs.", at_least=1)
    learning_rate: float = setting(1e-3, "Sets training.learning_rate.", above=0)
    kl_warmup_fraction: float = setting(0.3, "Sets training.kl_warmup_fraction.", at_least=0, at_most=1)
    gradient_clip_norm: float = setting(1.0, "Sets regularization.gradient_clip_norm.", above=0)
    augmentation_strength: float = setting(0.75, "Sets regularization.augmentation_strength.", at_least=0, at_most=2)

    def __post_init__(self) -> None:
        check_settings(self, "preset")


PRESETS = {
    OverfittingPreset.CONSERVATIVE: Preset(
        name="conservative",
        guard=OverfittingPreset.CONSERVATIVE,
        dropout=0.4,
        weight_decay=0.05,
        augmentation_expansion=15,
        max_epochs=100,
        learning_rate=5e-4,
        kl_warmup_fraction=0.5,
        gradient_clip_norm=0.5,
        augmentation_strength=1.0,
    ),
    OverfittingPreset.BALANCED: Preset(),
    OverfittingPreset.AGGRESSIVE: Preset(
        name="aggressive",
        guard=OverfittingPreset.AGGRESSIVE,
        dropout=0.1,
        weight_decay=0.001,
        augmentation_expansion=5,
        max_epochs=500,
        learning_rate=2e-3,
        kl_warmup_fraction=0.2,
        gradient_clip_norm=5.0,
        augmentation_strength=0.5,
    ),
}
"""The table: what each preset sets."""


def choose_preset(file_count: int) -> OverfittingPreset:
    """The preset for a number of files.

    >>> choose_preset(10).name, choose_preset(100).name, choose_preset(300).name
    ('CONSERVATIVE', 'BALANCED', 'AGGRESSIVE')

    Raises:
        ConfigError: the count is negative.
    """
    if file_count < 0:
        raise ConfigError(f"file_count={file_count} cannot be negative.")
    if file_count < 50:
        return OverfittingPreset.CONSERVATIVE
    if file_count < 200:
        return OverfittingPreset.BALANCED
    return OverfittingPreset.AGGRESSIVE


def choose_val_fraction(file_count: int) -> float:
    """Share of the files to hold out: the fewer there are, the larger a share it takes to judge by.

    >>> [choose_val_fraction(n) for n in (9, 10, 50, 200)]
    [0.5, 0.3, 0.2, 0.1]
    """
    for fewer_than, fraction in ((10, 0.5), (50, 0.3), (200, 0.2)):
        if file_count < fewer_than:
            return fraction
    return 0.1


def choose_batch_size(n_chunks: int, largest: int = 32) -> int:
    """Chunks a step: a quarter of all chunks, at most 32 or what the model is best trained with, at least 1.

    >>> choose_batch_size(90)
    22
    """
    return max(1, min(largest, n_chunks // 4))
