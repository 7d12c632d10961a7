"""What MLflow is told of each event in the journal, as plain values."""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field, fields
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from sda.measures import AT_END, OF_EVALUATION, RECONSTRUCTION
from sda.tracking.delivery_state import DeliveryState
from sda.tracking.metric_names import BARS, OF_END, OF_EPOCH, name_metric
from sda.tracking.preview_names import PREVIEWS
from sda.training.events import StepMetrics
from sda.wording import format_share

MLFLOW_STATUS = {"finished": "FINISHED", "stopped": "KILLED", "failed": "FAILED", "killed": "KILLED"}

STEP_METRICS = tuple(item.name for item in fields(StepMetrics) if item.name not in ("epoch", "step", "total_steps"))
NOTED = {
    **{
        f"reconstruction.held_out.model.{key}": (f"{one.title} (held-out sound)", one)
        for key, one in RECONSTRUCTION.items()
        if one.noted
    },
    **{key: (one.words, one) for key, one in OF_EVALUATION.items() if one.noted},
}
"""Figures of an evaluation that a run's description names, by their key in `evaluation.json`."""
NOTE = "mlflow.note.content"
"""Tag that MLflow shows as a run's description."""
EVALUATION = "evaluation"
"""Folder among a run's artifacts that older journals name no other than."""


class MetricPoint(NamedTuple):
    """One value of one curve."""

    key: str
    """Such as `1_loss/val_loss`; see `name_metric`."""
    value: float
    timestamp_ms: int
    step: int
    """Optimiser step for figures of steps, 0 for those drawn as bars, epoch for all others."""


@dataclass
class Batch:
    """What one call to MLflow carries."""

    metrics: list[MetricPoint] = field(default_factory=list)
    tags: dict[str, str] = field(default_factory=dict)
    artifacts: list[tuple[str, str]] = field(default_factory=list)
    """Local path, as the event has it, and folder among the run's artifacts."""
    status: str = ""


class Delivered(NamedTuple):
    """What MLflow was asked whether it has it, and does; nothing where there is no doubt."""

    steps: frozenset[int] = frozenset()
    epochs: frozenset[int] = frozenset()
    list_points: Callable[[str], Collection[tuple[int, float]]] = lambda key: ()
    """Step and value of every point of a metric."""


def collect(
    values: dict[str, Any], batch: Batch, state: DeliveryState, delivered: Delivered, objective: str = ""
) -> None:
    """Add one event to a batch, unless MLflow has it.

    Args:
        objective: the figure that the run's sweep is ranked by, which is told whatever it is.
    """
    kind, name = values["event"], partial(name_metric, naming=state.naming, objective=objective)
    if kind == "StepMetrics":
        if values["step"] > state.last_step and values["step"] not in delivered.steps:
            batch.metrics += _metrics("step", STEP_METRICS, values, values["step"], name)
        state.last_step = max(state.last_step, values["step"])
    elif kind == "EpochMetrics":
        if values["epoch"] > state.last_epoch and values["epoch"] not in delivered.epochs:
            batch.metrics += _metrics("epoch", OF_EPOCH, values, values["epoch"], name)
        state.last_epoch = max(state.last_epoch, values["epoch"])
    elif kind == "PreviewEvent":
        folder = f"{PREVIEWS}/{Path(values['audio_path']).parent.name}"
        batch.artifacts += [(path, folder) for path in (values["audio_path"], values["picture_path"]) if path]
    elif kind == "ReconstructionScored":
        told = values.get("measures", values)  # in the journal of an older run, each stands for itself
        timed = told | {"time": values["time"]}
        points = _metrics(f"heldout.{values['source']}", AT_END, timed, values["epoch"], name)
        _add_once(points, batch, state, delivered)
    elif kind == "Evaluated":
        points = _metrics("evaluation", values["figures"], values | values["figures"], values["epoch"], name)
        _add_once(points, batch, state, delivered, may_differ=True)
        folder = values.get("name", EVALUATION)
        paths = [values.get(name) for name in ("values_path", "report_path", "provenance_path")]
        batch.artifacts += [(path, folder) for path in paths if path]
    elif kind == "Generated":
        folder = f"generated/{values.get('name') or '{mode}_seed_{seed}'.format(**values)}"
        batch.artifacts += [(path, folder) for path in (*values["audio_paths"], values.get("record_path")) if path]
    elif kind == "TrainingCompleteEvent":
        _add_once(_metrics("final", OF_END, values, values["total_epochs"], name), batch, state, delivered)
    _collect_words(values, batch)


def _add_once(
    points: Iterable[MetricPoint], batch: Batch, state: DeliveryState, delivered: Delivered, *, may_differ: bool = False
) -> None:
    """Add what MLflow does not have yet; the end of a run is told again where it died before all of it was noted.

    Args:
        may_differ: whether a later event of the same epoch may come to other values, which are told.
    """
    for point in points:
        known = [*delivered.list_points(point.key), *([state.told[point.key]] if point.key in state.told else [])]
        differs = may_differ or point.key.startswith(BARS)
        if not any(step == point.step and (value == point.value or not differs) for step, value in known):
            batch.metrics.append(point)
        state.told[point.key] = (point.step, point.value)


def write_note(evaluated: dict[str, Any]) -> str:
    """What an evaluation found, as the description of the run's page in MLflow (Markdown)."""
    figures = evaluated["figures"]
    lines = [f"**{evaluated['label']}** (epoch {evaluated['epoch']}, {evaluated['suite']} suite)", ""]
    if evaluated.get("headline"):
        lines += [evaluated["headline"], ""]
    lines += [f"- {words}: {measure.write(figures[key])}" for key, (words, measure) in NOTED.items() if key in figures]
    if evaluated.get("advice"):
        lines.append(f"- try next: {evaluated['advice']}")
    if evaluated.get("command"):
        lines += ["", f"        {evaluated['command']}", ""]
    page = f"{evaluated.get('name', EVALUATION)}/report.html"
    return "\n".join([*lines, f"- to read and to listen: `{page}` among the artifacts"])


def _collect_words(values: dict[str, Any], batch: Batch) -> None:
    """What an event says in words: tags, and the run's status."""
    kind = values["event"]
    if kind == "RolledBack":
        words = f"at step {values['step']}, to {values['checkpoint']}: {values['reason']}"
        batch.tags[f"rolled_back.{values['n_rollbacks']}"] = words
    elif kind == "RunStarted":
        batch.status = "RUNNING"
        batch.tags |= {key: str(values[key]) for key in ("device", "precision", "n_parameters", "total_steps")}
        batch.tags["adversarial"] = str(values.get("adversarial", False))
    elif kind == "EpochMetrics" and values.get("verdict"):
        batch.tags["gap"] = _write_gap(values)
    elif kind == "CheckpointSaved":
        batch.tags["checkpoint.best" if values["is_best"] else "checkpoint.last"] = values["path"]
    elif kind == "Warned":
        batch.tags[f"warning.{values['kind']}"] = values["message"]
    elif kind == "Evaluated":
        batch.tags["evaluation"] = f"{values['label']} ({values['suite']} suite, epoch {values['epoch']})"
        batch.tags["verdict"] = f"{values['label']}. {values.get('headline', '')}".strip()
        batch.tags[NOTE] = write_note(values)
    elif kind == "RunEnded":
        batch.status = MLFLOW_STATUS[values["status"]]
        batch.tags |= {"status": values["status"], "reason": values["reason"] or values["status"]}


def _write_gap(values: dict[str, Any]) -> str:
    """An epoch's gap with its interval and trend: a curve, of which the verdict is not made alone."""
    low, high = values["gap_low"], values["gap_high"]
    trend = f", {values['trend']}" if values.get("trend") else ""
    return format_share(values["overfitting_gap"], *((low, high) if low < high else ()), sign="+") + trend


def _metrics(
    event: str, names: Iterable[str], values: dict[str, Any], step: int, name: Callable[[str, str], str]
) -> list[MetricPoint]:
    """One point for each name; the journal of an older run lacks some, and without discriminators some are none."""
    timestamp_ms = round(values["time"] * 1000)
    told = {one: name(event, one) for one in names if values.get(one) is not None}
    at = {key: 0 if key.startswith(BARS) else step for key in told.values()}
    return [MetricPoint(key, float(values[one]), timestamp_ms, at[key]) for one, key in told.items() if key]
