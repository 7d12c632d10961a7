"""An evaluation as plain values: the content of `evaluation.json`, and what MLflow is told of it."""

import math
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from sda.bootstrap import Estimate
from sda.data.walk import EVALUATION_PAGE, EVALUATION_RECORD
from sda.report.evaluation import Evaluation, count_files
from sda.report.evaluation_sections import list_sections
from sda.runs.objective import SECTIONS
from sda.runs.outputs import EVALUATION
from sda.training.events import Evaluated

SCHEMA = 1
VALUES = EVALUATION_RECORD
PAGE = EVALUATION_PAGE
MADE_OF = "provenance.json"


def list_values(evaluation: Evaluation) -> dict[str, Any]:
    """All of it as JSON-ready values; each figure's interval stands beside it under `…_interval`."""
    assessment, verdict = evaluation.assessment, evaluation.assessment.verdict
    return {
        "schema": SCHEMA,
        **asdict(evaluation.subject),
        "n_files": count_files(assessment.audio),
        "verdict": {
            "label": verdict.label,
            "case": verdict.case,
            "headline": verdict.headline,
            "advice": verdict.advice,
            "command": evaluation.command,
            "findings": [
                {"text": finding.text, "key": finding.key, **_spell("value", finding.estimate, "interval")}
                for finding in verdict.findings
            ],
        },
        **_spell_all(list_sections(assessment)),
    }


def flatten_figures(values: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, float]]:
    """Every finite number of `evaluation.json` by its key, and the ends of intervals; other lists are left out.

    >>> dict(flatten_figures({"memorisation": {"rate": 0.1, "rate_interval": [0.0, 0.2], "correlations": [0.3]}}))
    {'memorisation.rate': 0.1, 'memorisation.rate_low': 0.0, 'memorisation.rate_high': 0.2}
    """
    for key, value in values.items():
        if isinstance(value, dict):
            yield from flatten_figures(value, f"{prefix}{key}.")
        elif key.endswith("_interval"):
            name = key.removesuffix("_interval")
            yield from flatten_figures({f"{name}_low": value[0], f"{name}_high": value[1]}, prefix)
        elif isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value):
            yield f"{prefix}{key}", float(value)


def describe_evaluation(values: dict[str, Any], folder: Path, home: Path) -> Evaluated:
    """An evaluation as the event that the journal and MLflow are told.

    Args:
        home: where folders are numbered, so that no two have one name; others may.
    """
    sections: dict[str, Any] = {key: values[key] for key in SECTIONS if key in values}
    return Evaluated(
        epoch=values["epoch"],
        suite=values["suite"],
        label=values["verdict"]["label"],
        headline=values["verdict"]["headline"],
        advice=values["verdict"]["advice"],
        command=values["verdict"]["command"],
        figures=dict(flatten_figures(sections)),
        values_path=str(folder / VALUES),
        report_path=str(folder / PAGE),
        provenance_path=str(folder / MADE_OF) if "provenance" in values else "",
        name=folder.name if folder.parent == home else f"{EVALUATION}-{folder.name}-{secrets.token_hex(3)}",
    )


def _spell_all(values: Mapping[str, Any]) -> dict[str, Any]:
    """Every figure of a section by its key, with its interval behind it."""
    spelled: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, Estimate):
            spelled |= _spell(key, value)
        else:
            spelled[key] = _spell_all(value) if isinstance(value, Mapping) else value
    return spelled


def _spell(name: str, estimate: Estimate, interval: str = "") -> dict[str, Any]:
    """A figure and its interval, what is not finite as nothing."""
    bounds = [bound if math.isfinite(bound) else None for bound in (estimate.low, estimate.high)]
    return {name: estimate.value if math.isfinite(estimate.value) else None, interval or f"{name}_interval": bounds}
