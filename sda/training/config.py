"""Training configuration; nothing here imports torch."""

import re
from dataclasses import dataclass
from enum import Enum

from sda.config_field import check_settings, setting
from sda.errors import ConfigError
from sda.training.presets import PRESETS, OverfittingPreset, choose_batch_size, choose_preset, choose_val_fraction

SHORTEST_CHUNK_S = 0.1
"""Shorter sounds are filled up to this."""
SHORTEST_CROP_S = 0.25
"""A step hears no less of a chunk at once, unless the chunk is shorter; pieces of this length gained nothing more."""


class Precision(Enum):
    """Arithmetic of the forward pass."""

    auto = "auto"
    float32 = "float32"
    bfloat16 = "bfloat16"


@dataclass
class RegularizationConfig:
    """What keeps a large model from memorising a small data set."""

    dropout: float = setting(
        0.2,
        "Share of the encoder's features hidden before the latent; more blurs what the model remembers of a sound.",
        at_least=0,
        below=1,
    )
    weight_decay: float = setting(
        0.01, "AdamW's pull of the weights towards zero; more makes simpler, smoother sound.", at_least=0
    )
    augmentation_expansion: int = setting(
        10,
        "Extra visits to every chunk in an epoch, each with its own offset and its own varied copy of the sound.",
        unit="visits",
        at_least=0,
    )
    gradient_clip_norm: float = setting(
        1.0, "Longest step the gradient may ask for (L2 norm); less is steadier and slower.", above=0
    )
    augmentation_strength: float = setting(
        0.75,
        "Scales how far copies are varied: gain, speed, tilt, masks; more makes the model more general and less exact.",
        at_least=0,
        at_most=2,
    )

    def __post_init__(self) -> None:
        check_settings(self, "regularization")


@dataclass
class TrainingConfig:
    """How long, how fast and on what a model is trained."""

    latent_dim: int = setting(
        64,
        "Numbers that describe one chunk; fewer blend sounds more, more keep detail.",
        unit="dimensions",
        at_least=1,
        at_most=4096,
    )
    batch_size: int = setting(
        32,
        "Chunks, or pieces of them, that a step learns from, or auto: a quarter of all chunks, at most 32. Where a "
        "device has no room for them, they are computed in parts.",
        unit="chunks",
        at_least=1,
    )
    max_epochs: int = setting(
        200, "Epochs to train; planned to fit where minutes are given.", unit="epochs", at_least=1, resumable=True
    )
    learning_rate: float = setting(1e-3, "AdamW's step size at its peak; it falls to zero along a cosine.", above=0)
    kl_warmup_fraction: float = setting(
        0.3,
        "Share of the training over which the KL term rises to full weight; longer lets detail settle first.",
        at_least=0,
        at_most=1,
    )
    free_bits: float = setting(
        0.5,
        "KL a latent dimension may use without cost; keeps dimensions from going unused.",
        unit="nat",
        at_least=0,
        in_loss=True,
    )
    val_fraction: float = setting(
        0.2, "Share of the files held out to judge the model; never trained on.", above=0, below=1
    )
    chunk_duration_s: float = setting(
        1.0,
        "Length of the pieces the model sees; sounds longer than this are cut.",
        unit="s",
        at_least=SHORTEST_CHUNK_S,
        at_most=30,
    )
    checkpoint_interval: int = setting(
        10, "Epochs between checkpoints.", unit="epochs", at_least=1, resumable=True, decides=False
    )
    preview_interval: int = setting(
        5, "Epochs between previews in a long run.", unit="epochs", at_least=1, resumable=True, decides=False
    )
    preview_interval_short: int = setting(
        2,
        "Epochs between previews in a run of fewer than 50 epochs.",
        unit="epochs",
        at_least=1,
        resumable=True,
        decides=False,
    )
    max_checkpoints: int = setting(
        3, "Recent checkpoints kept, beside the best.", unit="checkpoints", at_least=1, resumable=True, decides=False
    )
    preset: OverfittingPreset = setting(
        OverfittingPreset.BALANCED, "Which guard against overfitting was chosen.", repeats=True
    )
    regularization: RegularizationConfig = setting(RegularizationConfig, "The section of that name.", repeats=True)
    device: str = setting(
        "auto", "auto (CUDA, then MPS, then CPU), cpu, cuda, cuda:N or mps.", resumable=True, decides=False
    )
    num_workers: int = setting(
        0, "Processes that read chunks; 0 reads in the training process.", at_least=0, resumable=True, decides=False
    )
    crop_fraction: float = setting(
        1.0,
        "Share of a chunk that a step hears at once, cut anywhere in the sound: shorter pieces are more steps for as "
        "much sound. Models are judged on whole chunks; a piece has a quarter of a second at least.",
        above=0,
        at_most=1,
    )
    minutes: float = setting(
        0.0,
        "Time that a training may take from its start to its end, evaluation included, in place of max_epochs: visits "
        "and epochs are planned to fit. 0 sets no limit.",
        unit="min",
        at_least=0,
        resumable=True,
    )
    precision: Precision = setting(
        Precision.auto,
        "float32 is exact; auto takes bfloat16 on CUDA devices of compute capability 8.0 and more, else float32.",
    )
    ema_decay: float = setting(
        0.999,
        "Share of the averaged weights kept at a step; the average is what is judged and kept. 0 takes the weights "
        "of the last step.",
        at_least=0,
        below=1,
    )
    compile: bool = setting(
        False,
        "Compile the network: tens of seconds at the start for a few per cent on a CPU; CUDA graphs on a GPU.",
        resumable=True,
        decides=False,
    )
    early_stopping: bool = setting(
        False,
        "Stop when the held-out loss fell by noise at most for early_stopping_patience epochs after the KL warm-up.",
        resumable=True,
    )
    early_stopping_patience: int = setting(
        20, "Epochs without improvement that early stopping waits.", at_least=1, resumable=True, is_detail=True
    )
    max_skipped_steps: int = setting(
        20,
        "Steps in a row whose loss or gradient is not finite before the run goes back to its last checkpoint.",
        unit="steps",
        at_least=1,
        is_detail=True,
    )
    max_rollbacks: int = setting(
        2,
        "Times a run goes back to its last checkpoint, each time with half the learning rate, before it gives up.",
        at_least=0,
        resumable=True,
        is_detail=True,
    )

    def __post_init__(self) -> None:
        check_settings(self, "training")
        if not self.device.startswith("${") and not re.fullmatch(r"auto|cpu|mps|cuda(:\d+)?", self.device):
            raise ConfigError(f"training.device={self.device} is unknown: use auto, cpu, cuda, cuda:N or mps.")

    @property
    def crop_duration_s(self) -> float:
        """Length of what a step hears of a chunk, seconds.

        >>> TrainingConfig().crop_duration_s, TrainingConfig(crop_fraction=0.5).crop_duration_s
        (1.0, 0.5)
        >>> TrainingConfig(chunk_duration_s=0.2, crop_fraction=0.5).crop_duration_s
        0.2
        """
        return min(self.chunk_duration_s, max(SHORTEST_CROP_S, self.crop_fraction * self.chunk_duration_s))


CHUNKS_PER_FILE = 5
"""Chunks assumed per file where the files were not scanned."""


def get_adaptive_config(file_count: int, n_chunks: int | None = None) -> TrainingConfig:
    """The configuration for a data set of this size.

    Args:
        file_count: usable sound files.
        n_chunks: chunks they were found to hold; five a file where that is not known.

    >>> config = get_adaptive_config(10)
    >>> config.preset.name, config.val_fraction, config.regularization.dropout, config.batch_size
    ('CONSERVATIVE', 0.3, 0.4, 12)

    Raises:
        ConfigError: the count is negative.
    """
    guard = choose_preset(file_count)
    preset = PRESETS[guard]
    return TrainingConfig(
        preset=guard,
        val_fraction=choose_val_fraction(file_count),
        batch_size=choose_batch_size(CHUNKS_PER_FILE * file_count if n_chunks is None else n_chunks),
        max_epochs=preset.max_epochs,
        learning_rate=preset.learning_rate,
        kl_warmup_fraction=preset.kl_warmup_fraction,
        regularization=RegularizationConfig(
            dropout=preset.dropout,
            weight_decay=preset.weight_decay,
            augmentation_expansion=preset.augmentation_expansion,
            augmentation_strength=preset.augmentation_strength,
            gradient_clip_norm=preset.gradient_clip_norm,
        ),
    )


def get_effective_preview_interval(config: TrainingConfig) -> int:
    """Epochs between previews: the short interval for runs of fewer than 50 epochs, else the normal one.

    >>> get_effective_preview_interval(TrainingConfig(max_epochs=10))
    2
    """
    return config.preview_interval_short if config.max_epochs < 50 else config.preview_interval
