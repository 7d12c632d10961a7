"""The steps and epochs of a run, and what they add up to; standard library only.

The events that it is made of are those of `sda.training.events`.
"""

from dataclasses import dataclass, field, fields
from typing import Any

from sda.training.events import EpochMetrics, MetricsCallback, PreviewEvent, StepMetrics, TrainingCompleteEvent
from sda.training.overfitting import OVERFITTING_THRESHOLD

__all__ = [
    "EpochMetrics",
    "MetricsCallback",
    "MetricsHistory",
    "PreviewEvent",
    "StepMetrics",
    "TrainingCompleteEvent",
    "estimate_eta",
]


def estimate_eta(elapsed_s: list[float], n_epochs_left: float) -> float:
    """Seconds that the epochs left will take at the pace of the last five.

    Args:
        elapsed_s: time since the start of the run at the end of each epoch, at least one.

    >>> estimate_eta([10.0, 20.0, 30.0], n_epochs_left=4)
    40.0
    """
    recent = [0.0, *elapsed_s][-6:]
    return max(0, n_epochs_left) * (recent[-1] - recent[0]) / (len(recent) - 1)


@dataclass
class MetricsHistory:
    """The steps and epochs of a run, in order."""

    step_metrics: list[StepMetrics] = field(default_factory=list)
    epoch_metrics: list[EpochMetrics] = field(default_factory=list)

    def add_step(self, metrics: StepMetrics) -> None:
        """Append one step."""
        self.step_metrics.append(metrics)

    def add_epoch(self, metrics: EpochMetrics) -> None:
        """Append one epoch."""
        self.epoch_metrics.append(metrics)

    def get_loss_curves(self) -> dict[str, list[float]]:
        """Losses by epoch, nats per mel cell: `train_losses`, and on held-out sound `val_losses`, `kl_losses`
        and `recon_losses`."""
        return {
            "train_losses": [epoch.train_loss for epoch in self.epoch_metrics],
            "val_losses": [epoch.val_loss for epoch in self.epoch_metrics],
            "kl_losses": [epoch.val_kl_loss for epoch in self.epoch_metrics],
            "recon_losses": [epoch.val_recon_loss for epoch in self.epoch_metrics],
        }

    def get_best_epoch(self) -> int | None:
        """The epoch whose checkpoint is kept as the best, the last one marked so; `None` while there is none.

        Where none is marked, it is the one with the lowest held-out loss among those at full KL weight.
        """
        marked = [epoch.epoch for epoch in self.epoch_metrics if epoch.is_best]
        if marked:
            return marked[-1]
        eligible = [epoch for epoch in self.epoch_metrics if epoch.kl_weight >= 1.0]
        return min(eligible, key=lambda epoch: epoch.val_loss).epoch if eligible else None

    def compute_eta(self, current_epoch: int | None = None, total_epochs: int | None = None) -> float:
        """Seconds left at the pace of the last five epochs; 0 before the first.

        Args:
            current_epoch: epochs done; those of the last entry by default.
            total_epochs: epochs planned; those of the last entry by default.
        """
        if not self.epoch_metrics:
            return 0.0
        last = self.epoch_metrics[-1]
        planned = last.total_epochs if total_epochs is None else total_epochs
        done = last.epoch if current_epoch is None else current_epoch
        return estimate_eta([epoch.elapsed_seconds for epoch in self.epoch_metrics], planned - done)

    def is_overfitting(self, threshold: float = OVERFITTING_THRESHOLD) -> bool:
        """Whether the last epoch's gap is above the threshold; never before the first epoch."""
        return bool(self.epoch_metrics) and self.epoch_metrics[-1].overfitting_gap > threshold

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready columns under the fields' names; `from_dict` reads them back."""
        return {
            "step_metrics": _to_columns(self.step_metrics, StepMetrics),
            "epoch_metrics": _to_columns(self.epoch_metrics, EpochMetrics),
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "MetricsHistory":
        """The history that `to_dict` wrote, today or under its former names.

        Raises:
            KeyError: steps or epochs are missing.
        """
        columns = {_FORMER_NAMES.get(name, name): value for name, value in values.items()}
        return cls(
            _from_columns(columns["step_metrics"], StepMetrics), _from_columns(columns["epoch_metrics"], EpochMetrics)
        )


_FORMER_NAMES = {"steps": "step_metrics", "epochs": "epoch_metrics"}
"""Names that older histories and checkpoints have, and what they are called now."""


def _to_columns(rows: list[Any], kind: type[Any]) -> dict[str, list[Any]]:
    return {item.name: [getattr(row, item.name) for row in rows] for item in fields(kind)}


def _from_columns(columns: dict[str, list[Any]], kind: type[Any]) -> list[Any]:
    names = [item.name for item in fields(kind) if item.name in columns]
    return [kind(**dict(zip(names, row, strict=True))) for row in zip(*(columns[name] for name in names), strict=True)]
