"""Training estimate: what a planned run amounts to, before any of it is built; nothing here imports torch."""

import math
from dataclasses import dataclass

from sda.printable import show_name
from sda.runs.plan import Plan, count_chunks
from sda.wording import suggest_time


@dataclass(frozen=True)
class TrainingEstimate:
    """What `train.py` would do."""

    preset: str
    preset_reason: str
    chosen: dict[str, dict[str, str]]
    """Values as text by key, such as `dropout`, by the reason for them."""
    n_train_files: int
    n_val_files: int
    n_train_chunks: int
    n_val_chunks: int
    n_train_pieces: int
    """What steps hear of the chunks at once."""
    chunk_duration_s: float
    crop_duration_s: float
    """Of a piece."""
    expansion: int
    batch_size: int
    max_epochs: int
    minutes: float
    """Time that the run was given; 0 where it was given none."""
    in_parts: bool
    """Whether a file is trained on in one part and held out in another."""
    weakness: str
    set_aside: list[str]
    fold: str

    @property
    def headline(self) -> str:
        """The split in a few words."""
        if self.in_parts:
            return f"{self.n_train_chunks} chunks to train on, {self.n_val_chunks} held out"
        return f"{self.n_train_files} files to train on, {self.n_val_files} held out"

    @property
    def steps_per_epoch(self) -> int:
        """Optimiser steps in which all of every chunk is visited once and `expansion` times more."""
        return math.ceil(self.n_train_pieces * (1 + self.expansion) / self.batch_size)

    @property
    def total_steps(self) -> int:
        """Optimiser steps of the whole run."""
        return self.steps_per_epoch * self.max_epochs


def estimate_training(plan: Plan, preset_choice: str) -> TrainingEstimate:
    """What a planned run amounts to, without building it.

    Args:
        preset_choice: the option chosen in the group `preset`.
    """
    config, training, split = plan.config, plan.config.training, plan.split
    auto = preset_choice == "auto"
    chosen: dict[str, dict[str, str]] = {}
    for choice in plan.choices:
        chosen.setdefault(choice.reason, {})[choice.key.rpartition(".")[2]] = f"{choice.value:g}"
    return TrainingEstimate(
        preset=config.preset.name if auto else preset_choice,
        preset_reason=f"chosen for {config.data.file_count} usable files" if auto else f"preset={preset_choice}",
        chosen=chosen,
        n_train_files=len(split.train_paths),
        n_val_files=len(split.val_paths),
        n_train_chunks=count_chunks(split.train, plan.scan, training.chunk_duration_s),
        n_val_chunks=count_chunks(split.val, plan.scan, training.chunk_duration_s),
        n_train_pieces=count_chunks(split.train, plan.scan, training.crop_duration_s),
        chunk_duration_s=training.chunk_duration_s,
        crop_duration_s=training.crop_duration_s,
        expansion=config.regularization.augmentation_expansion,
        batch_size=training.batch_size,
        max_epochs=training.max_epochs,
        minutes=training.minutes,
        in_parts=not set(split.train_paths).isdisjoint(split.val_paths),
        weakness=split.weakness,
        set_aside=[show_name(path, plan.scan.root) for path in split.set_aside],
        fold=f"fold {config.data.fold} of {config.data.folds}" if config.data.folds else "",
    )


def describe_split(estimate: TrainingEstimate) -> list[str]:
    """Who is trained on and who is held out."""
    parts = "parts of " if estimate.in_parts else ""
    chunks = f"{estimate.n_train_chunks} chunks of {estimate.chunk_duration_s:g} s"
    train = f"train on {parts}{estimate.n_train_files} files ({chunks})"
    val = f"hold out {parts}{estimate.n_val_files} to judge by ({estimate.n_val_chunks} chunks)"
    lines = [f"{train}, {val}"]
    lines += [f"hold out {estimate.fold}"] if estimate.fold else []
    return lines + [f"set aside {name}, a copy of another" for name in estimate.set_aside]


def describe_steps(estimate: TrainingEstimate) -> str:
    """How chunks, visits and batches come to steps."""
    visits = f"each chunk {1 + estimate.expansion} times an epoch" if estimate.expansion else "each chunk once an epoch"
    about = "about " if estimate.minutes else ""
    if estimate.crop_duration_s < estimate.chunk_duration_s:
        visits += f", in pieces of {estimate.crop_duration_s:g} s"
    return (
        f"visit {visits}, {estimate.batch_size} at a time: {estimate.steps_per_epoch} steps an epoch, "
        f"{about}{estimate.total_steps} in {estimate.max_epochs} epochs"
    )


def describe_time(estimate: TrainingEstimate, step_s: float, device: str) -> str:
    """How long training would last, in words.

    Args:
        step_s: what one step was measured to take on `device`.
    """
    measured = f"measured: {step_s:.2g} s a step"
    if estimate.minutes:
        return f"{format_about(60 * estimate.minutes)} on {device}, evaluation included (training.minutes; {measured})"
    whole_s = estimate.total_steps * step_s
    hint = suggest_time(whole_s)
    less = f"; {hint}" if hint else ""
    return f"about {format_about(whole_s)} on {device} ({measured}, data and previews not included){less}"


def format_about(seconds: float) -> str:
    """A duration as exactly as an estimate deserves.

    >>> format_about(42.4), format_about(2115), format_about(9000), format_about(400000)
    ('42 s', '35 min', '2.5 h', '4.6 days')
    """
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 90 * 60:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 48 * 3600 else f"{seconds / 86400:.1f} days"
