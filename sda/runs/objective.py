"""The one number that runs of a sweep are ranked by; lower is better."""

from pathlib import Path

from sda.runs.folder import read_summary
from sda.errors import ConfigError
from sda.stored import to_figure

SECTIONS = ("reconstruction", "distribution", "form", "silence", "memorisation", "provenance", "latents")
"""Parts of `evaluation.json` that hold figures."""

OF_RECONSTRUCTION = ("log_mel_l1_db", "mr_stft", "loudness_error_db")
"""Measured on held-out sound at the end of every training."""
OF_TRAINING = ("best_val_loss", "overfitting_gap")


def check_objective(name: str, at_end: str) -> None:
    """Refuse a name that no run will have.

    Args:
        at_end: `evaluation.at_end`.

    Raises:
        ConfigError: with the names that there are.
    """
    if name in OF_RECONSTRUCTION or name in OF_TRAINING:
        return
    if name.partition(".")[0] not in SECTIONS or "." not in name:
        names = ", ".join((*OF_RECONSTRUCTION, *OF_TRAINING))
        sections = ", ".join(f"{section}.…" for section in SECTIONS)
        raise ConfigError(
            f"sweep.objective={name} is unknown: use {names}, or a key of evaluation.json ({sections}), such as "
            "memorisation.replay_rate."
        )
    if at_end == "none":
        raise ConfigError(
            f"sweep.objective={name} is measured by the evaluation at the end, which evaluation.at_end=none leaves out."
        )


def read_objective(run_dir: Path, name: str) -> float:
    """What a finished run came to; not a number where it was not measured."""
    summary = read_summary(run_dir)
    if name in OF_RECONSTRUCTION:
        value = summary.get("reconstruction", {}).get("model", {}).get(name)
    elif name in OF_TRAINING:
        value = summary.get(name)
    else:
        value = summary.get("evaluation", {}).get(name)
    return to_figure(value)
