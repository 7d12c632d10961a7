"""Names of metrics in MLflow.

MLflow makes a section of charts of what stands before the slash, and sorts sections and charts by name: sections are
numbered in the order in which a run is looked at. What begins with `system/` it shows on a page of its own.
"""

from sda.measures import AT_END, OF_EVALUATION

NAMING = 2
"""How new runs name what MLflow is told: by section."""
FORMER_NAMING = 1
"""How runs of before did, and go on to do: by event."""

LOSS = "1_loss"
HELD_OUT = "2_held_out"
EVALUATION = "3_evaluation"
REFERENCE = "4_reference"
"""What held-out figures are to be held against: a model that knows nothing, and none at all."""
TRAINING = "5_training"
STEPS = "6_steps"
SYSTEM = "system"

BARS = tuple(f"{section}/" for section in (HELD_OUT, EVALUATION, REFERENCE))
"""Beginnings of names that are told without a step: MLflow then draws a bar for each run, not a curve of one point."""

OF_EPOCH = {
    "train_loss": LOSS,
    "val_loss": LOSS,
    "overfitting_gap": LOSS,
    "val_recon_loss": TRAINING,
    "val_kl_loss": TRAINING,
    "kl_divergence": TRAINING,
    "active_units": TRAINING,
    "gap_slope": TRAINING,
    "skipped_steps": TRAINING,
    "disguise_strength": TRAINING,
    "discriminator_overfitting": TRAINING,
    "elapsed_seconds": SYSTEM,
    "gap_low": "",
    "gap_high": "",
    "learning_rate": "",
    "kl_weight": "",
}
"""Section of every figure of an epoch; none where a tag, or a curve of every step, tells it too."""
OF_STEP = {"step_time_s": SYSTEM}
"""The same of a step, where it is another than that of all."""
OF_END = {
    "best_val_loss": HELD_OUT,
    "best_epoch": TRAINING,
    "total_time_s": SYSTEM,
    "final_train_loss": "",
    "final_val_loss": "",
}
"""The same of a training's end; none where it is the last point of a curve."""
OF_SOURCE = {
    "model": (HELD_OUT, ""),
    "drawn": (HELD_OUT, ".drawn"),
    "mean_mel": (REFERENCE, ".mean_mel"),
    "ceiling": (REFERENCE, ".ceiling"),
}
"""Section of what held-out sound was reconstructed by, and what stands behind the measure's name."""


def name_metric(event: str, name: str, naming: int, objective: str = "") -> str:
    """A figure's name; empty where MLflow is not told it.

    Args:
        event: `step`, `epoch`, `heldout.SOURCE`, `evaluation` or `final`.
        naming: that of the run, see `NAMING`.
        objective: the figure that the run's sweep is ranked by.

    >>> name_metric("epoch", "val_loss", naming=2), name_metric("epoch", "val_loss", naming=1)
    ('1_loss/val_loss', 'epoch/val_loss')
    >>> name_metric("evaluation", "form.distance_low", naming=2)
    ''
    """
    if naming == FORMER_NAMING:
        return f"{event}/{name}"
    kind, _, source = event.partition(".")
    if kind == "heldout":
        section, behind = OF_SOURCE.get(source, (REFERENCE, f".{source}"))
        return f"{section}/{name}{behind}"
    if kind == "evaluation":
        return f"{EVALUATION}/{name}" if name in OF_EVALUATION or name == objective else ""
    section = {"step": OF_STEP.get(name, STEPS), "epoch": OF_EPOCH.get(name, ""), "final": OF_END.get(name, "")}[kind]
    return f"{section}/{name}" if section else ""


def name_objective(objective: str, naming: int) -> str:
    """Under which name MLflow has the figure that a sweep is ranked by.

    >>> name_objective("mr_stft", naming=2), name_objective("memorisation.replay_rate", naming=2)
    ('2_held_out/mr_stft', '3_evaluation/memorisation.replay_rate')
    """
    events = {"best_val_loss": "final", "overfitting_gap": "epoch"} | dict.fromkeys(AT_END, "heldout.model")
    return name_metric(events.get(objective, "evaluation"), objective, naming, objective)
