"""What MLflow's parent run of a sweep is told, and where the sweep's runs are listed."""

import math
from urllib.parse import quote

from sda.report.comparison_lines import write_note
from sda.report.comparison_report import Written
from sda.runs.comparison import Comparison
from sda.tracking.delivery_state import LOCAL_UI, DeliveryState, TrackingSettings
from sda.tracking.metric_names import name_objective
from sda.tracking.sweep_parent import SweepNews


def describe_sweep(comparison: Comparison, written: Written) -> SweepNews:
    """A sweep's axes, its best setting and how sure that is, in MLflow's terms."""
    tags = {f"sweep.axis.{key.replace('/', '.')}": ", ".join(values) for key, values in comparison.axes.items()}
    tags["sweep.objective"] = comparison.objective
    metrics: dict[str, float] = {"sweep/n_runs": len(comparison.runs), "sweep/n_ranked": len(comparison.ranked)}
    if comparison.ranking is not None:
        best, run = comparison.ranking.standings[0], comparison.ranked[0]
        tags |= {"sweep.best_setting": best.setting, "sweep.best_run": run.mlflow_run_id or str(run.run_dir)}
        metrics |= {
            f"sweep/{comparison.objective}_best_setting": best.score.value,
            f"sweep/{comparison.objective}_best_run": run.figures[comparison.objective],
            "sweep/chance_best": best.chance_best,
        }
        if comparison.ranking.differences:
            metrics["sweep/gain_over_second"] = comparison.ranking.differences[0].gain.value
    name = f"sweep: {comparison.axes_words}, {len(comparison.runs)} runs"
    finite = {key: value for key, value in metrics.items() if math.isfinite(value)}
    return SweepNews(name, tags, write_note(comparison), finite, written.files)


def link_to_sweep(settings: TrackingSettings, state: DeliveryState, parent: str, objective: str) -> str:
    """The address of a sweep's runs in MLflow, best first."""
    server = settings.uri if settings.uri.startswith("http") else LOCAL_UI
    order = quote(f"metrics.`{name_objective(objective, state.naming)}`")
    those = quote(f"tags.`mlflow.parentRunId` = '{parent}'")
    view = f"workflowType=machine_learning&searchFilter={those}&orderByKey={order}&orderByAsc=true"
    return f"{server.rstrip('/')}/#/experiments/{state.experiment_id}/runs?{view}"
