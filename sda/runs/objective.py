"""The objective of sweeps: the one number that runs are ranked by; lower is better."""

from pathlib import Path

from sda.errors import ConfigError
from sda.measures import AT_END, OF_TRAINING, RECONSTRUCTION, is_better_higher
from sda.runs.folder import read_summary
from sda.stored import to_figure

SECTIONS = ("reconstruction", "distribution", "form", "silence", "memorisation", "provenance", "latents")
"""Parts of `evaluation.json` that hold figures."""


def check_objective(name: str, at_end: str, key: str = "sweep.objective") -> None:
    """Refuse a name that no run will have.

    Args:
        at_end: `evaluation.at_end`.
        key: what it was given as, for errors.

    Raises:
        ConfigError: with the names that there are.
    """
    if name in AT_END or name in OF_TRAINING:
        return
    if name.partition(".")[0] not in SECTIONS or "." not in name:
        names = ", ".join((*AT_END, *OF_TRAINING))
        sections = ", ".join(f"{section}.…" for section in SECTIONS)
        raise ConfigError(
            f"{key}={name} is unknown: use {names}, or a key of evaluation.json ({sections}), such as "
            f"{_suggest_key(name)}."
        )
    if is_better_higher(name):
        raise ConfigError(
            f"{key}={name} is better the higher it is, and runs are ranked by what is lower: use another, "
            "such as distribution.hand_made.coverage_shortfall for coverage."
        )
    if at_end == "none":
        raise ConfigError(
            f"{key}={name} is measured by the evaluation at the end, which evaluation.at_end=none leaves out."
        )


def _suggest_key(name: str) -> str:
    """A key of `evaluation.json`: that of a measure which is not taken at the end of every training, or any."""
    return f"reconstruction.held_out.model.{name}" if name in RECONSTRUCTION else "memorisation.replay_rate"


def read_objective(run_dir: Path, name: str) -> float:
    """What a finished run came to; not a number where it was not measured."""
    summary = read_summary(run_dir)
    if name in AT_END:
        value = summary.get("reconstruction", {}).get("model", {}).get(name)
    elif name in OF_TRAINING:
        value = summary.get(name)
    else:
        value = summary.get("evaluation", {}).get(name)
    return to_figure(value)
