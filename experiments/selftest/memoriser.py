"""A model that is made to memorise five files, and the same model after a few epochs: the first must be caught."""

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

PROJECT = Path(__file__).parents[2]
N_FILES = 5
LATE_EPOCHS, EARLY_EPOCHS = 2000, 5

MEMORISE = (
    "model=mel_vae",
    "data.group_by=",
    "training.val_fraction=0.5",
    "regularization.dropout=0",
    "regularization.weight_decay=0",
    "regularization.augmentation_expansion=0",
    "augmentation.probability=0",
    "training.learning_rate=1e-3",
    "training.preview_interval=100000",
    "training.preview_interval_short=100000",
    "training.checkpoint_interval=1000",
    "preset.kl_warmup_fraction=0.1",
    "evaluation.at_end=none",
    "tracking=none",
)
"""Everything that holds a model back from memorising, taken away."""


@dataclass(frozen=True)
class Memoriser:
    """What the evaluation says of a model."""

    name: str
    epoch: int
    values: dict  # type: ignore[type-arg]

    @property
    def correlations(self) -> np.ndarray:  # type: ignore[type-arg]
        """Of its generated seconds."""
        return np.array(self.values["memorisation"]["correlations"]["generated"])


def train_and_judge(
    sounds: Path, folder: Path, extra: Sequence[str] = (), evaluate: Sequence[str] = ()
) -> list[Memoriser]:
    """Train both, in processes of their own, and evaluate the last epoch of each as a user would.

    Args:
        sounds: folder with ten files, of which five are trained on.
        extra: more keys for `train.py`.
        evaluate: more keys for `evaluate.py`.
    """
    found = []
    for name, n_epochs in (("early", EARLY_EPOCHS), ("late", LATE_EPOCHS)):
        run_dir = folder / name
        run_verb(
            "train",
            f"data.root={sounds}",
            f"hydra.run.dir={run_dir}",
            f"training.max_epochs={n_epochs}",
            *MEMORISE,
            *extra,
        )
        run_verb("evaluate", f"run={run_dir}", "checkpoint=last", *evaluate)
        values = json.loads((run_dir / "evaluation" / "evaluation.json").read_text(encoding="utf-8"))
        found.append(Memoriser(name, values["epoch"], values))
    return found


def list_expectations(early: Memoriser, late: Memoriser) -> list[tuple[str, bool]]:
    """What must hold, in words, and whether it does."""
    rates = [one.values["memorisation"] for one in (early, late)]
    return [
        ("the memorised model is caught", late.values["verdict"]["label"] == "replaying"),
        ("the same model early is not", early.values["verdict"]["label"] != "replaying"),
        ("it replays more than early", rates[1]["replay_rate"] > rates[0]["replay_rate"] + 0.1),
        ("the score tells one from the other (area under the ROC > 0.8)", find_separation(early, late) > 0.8),
    ]


def find_separation(early: Memoriser, late: Memoriser) -> float:
    """Area under the ROC: the chance that a late second scores above an early one, ties counting half."""
    above = late.correlations[:, None] > early.correlations[None]
    ties = late.correlations[:, None] == early.correlations[None]
    return float((above + 0.5 * ties).mean())


def list_roc(early: Memoriser, late: Memoriser) -> list[dict[str, float]]:
    """The ROC: for every threshold, the share of early (false) and of late seconds (true) above it."""
    scores = np.unique(np.concatenate([early.correlations, late.correlations]))[::-1]
    return [
        {
            "threshold": round(float(score), 4),
            "false_positive_rate": round(float((early.correlations >= score).mean()), 4),
            "true_positive_rate": round(float((late.correlations >= score).mean()), 4),
        }
        for score in scores
    ]


def print_rows(memorisers: Sequence[Memoriser]) -> list[str]:
    """The table, as Markdown."""
    lines = ["| model | verdict | replay rate | collage rate | median correlation |", "|---|---|---|---|---|"]
    for one in memorisers:
        values = one.values["memorisation"]
        rates = [
            f"{values[name]:.2f} ({values[f'{name}_interval'][0]:.2f} to {values[f'{name}_interval'][1]:.2f})"
            for name in ("replay_rate", "collage_rate")
        ]
        lines.append(
            f"| {one.name}, epoch {one.epoch} | {one.values['verdict']['label']} | {rates[0]} | {rates[1]} "
            f"| {np.median(one.correlations):.2f} |"
        )
    return lines


def run_verb(verb: str, *arguments: str) -> None:
    """Run one of the project's scripts to its end, in a process of its own.

    Raises:
        RuntimeError: it failed.
    """
    process = subprocess.run(
        [sys.executable, str(PROJECT / f"{verb}.py"), *arguments], capture_output=True, text=True, check=False
    )
    if process.returncode:
        raise RuntimeError(f"{verb}.py {' '.join(arguments)} failed:\n{process.stdout[-2000:]}{process.stderr[-2000:]}")
