"""The sections of `evaluation.json` that hold figures, each figure as an `Estimate` under the key that it has there."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

from sda.bootstrap import Estimate
from sda.evaluation.assessment import Assessment
from sda.evaluation.controls import ProvenControls, number_axis
from sda.evaluation.findings import find_blame
from sda.evaluation.form_comparison import Form
from sda.evaluation.memorisation import Replay
from sda.evaluation.nearest import list_nearest
from sda.evaluation.recordings import count_recordings, list_made
from sda.evaluation.suite import DistributionComparison, Memorisation
from sda.evaluation.trained_model import Reconstruction


def list_figures(assessment: Assessment) -> dict[str, Estimate]:
    """Every figure by its dotted key in `evaluation.json`, such as `memorisation.replay_rate`."""
    return dict(_list_leaves(list_sections(assessment)))


def _list_leaves(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Estimate]]:
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _list_leaves(value, f"{prefix}{key}.")
        elif isinstance(value, Estimate):
            yield f"{prefix}{key}", value
        elif isinstance(value, (int, float)) and not isinstance(value, bool):
            yield f"{prefix}{key}", Estimate(float(value))


def list_sections(assessment: Assessment) -> dict[str, Any]:
    """The sections in their order; what was not measured has none."""
    sections: dict[str, Any] = {}
    if assessment.reconstruction is not None:
        sections["reconstruction"] = _list_reconstruction(assessment.reconstruction)
    sections["distribution"] = {name: _list_likeness(one) for name, one in assessment.distribution.items()}
    sections["form"] = _list_form(assessment.form)
    sections["silence"] = {kind: dict(vars(one)) for kind, one in assessment.silence.items()}
    if assessment.n_silent_draws:
        sections["silence"].setdefault("generated", {})["drawn_again"] = assessment.n_silent_draws
    sections["memorisation"] = _list_memorisation(assessment)
    recordings = count_recordings([made_of for _, made_of in list_made(assessment)])
    if recordings is not None:
        sections["provenance"] = asdict(recordings)
    if assessment.latents is not None:
        sections["latents"] = asdict(assessment.latents)
    if assessment.controls is not None:
        sections["controls"] = _list_controls_of_sound(assessment.controls)
    return sections


def list_correlations(memorisation: Memorisation) -> dict[str, list[float]]:
    """How close every window came to training sound, by set."""
    return {
        name: [round(float(value), 4) for value in similarity.correlation]
        for name, similarity in memorisation.similarities.items()
    }


def _list_reconstruction(reconstruction: Reconstruction) -> dict[str, Any]:
    sides = {"held_out": reconstruction.held_out, "train": reconstruction.train}
    values: dict[str, Any] = {side: sources for side, sources in sides.items() if sources}
    values |= {"n_clips": reconstruction.n_clips, "n_files": reconstruction.n_files}
    values["edge_hz"] = reconstruction.edge_hz if math.isfinite(reconstruction.edge_hz) else None
    values |= {f"skill_{side}": skill for side, skill in reconstruction.skill.items()}
    if reconstruction.error_ratio is not None:
        values["error_ratio"] = reconstruction.error_ratio
    return values


def _list_likeness(distribution: DistributionComparison) -> dict[str, Any]:
    values: dict[str, Any] = {"too_few": distribution.too_few}
    likeness = distribution.likeness
    if likeness is None:
        return values
    values |= {name: value for name, value in vars(likeness).items() if name != "rebuilt"}
    if likeness.rebuilt is not None:
        rebuilt = likeness.rebuilt
        values |= {"mmd2_rebuilt": rebuilt.mmd2, "ratio_rebuilt": rebuilt.ratio}
        values |= {"density_rebuilt": rebuilt.density, "coverage_rebuilt": rebuilt.coverage}
        values |= {"lost_rebuilding": rebuilt.lost_rebuilding, "lost_drawing": rebuilt.lost_drawing}
        values["blame"] = find_blame(likeness)
    return values


def _list_form(form: Form) -> dict[str, Any]:
    values: dict[str, Any] = {"too_few": form.too_few, "longest_s": form.longest_s, "are_shots": form.are_shots}
    for kind, distance in form.distance.items():
        values["distance" if kind == "generated" else f"distance_{kind}"] = distance
    if form.excess is not None:
        values["excess"] = form.excess
    return values | form.traits | {"distance_by_trait": form.distance_by_trait, "n_sounds": form.n_sounds}


def _list_memorisation(assessment: Assessment) -> dict[str, Any]:
    memorisation = assessment.memorisation
    replay, collage = memorisation.replay, memorisation.collage
    return {
        "replay_rate": replay.rate,
        "window_s": memorisation.window_s,
        "threshold": replay.threshold,
        "null_median": replay.null_median,
        "n_null_windows": replay.n_null_windows,
        "n_null_files": replay.n_null_files,
        "n_windows": replay.n_windows,
        "doubt": replay.doubt,
        "controls": _list_controls(replay),
        "collage_rate": collage.rate,
        "collage_threshold": collage.threshold,
        "collage_controls": _list_controls(collage),
        "correlations": list_correlations(memorisation),
        "nearest": [nearest._asdict() for nearest, _, _ in list_nearest(assessment.audio, memorisation)],
    }


def _list_controls_of_sound(controls: ProvenControls) -> dict[str, Any]:
    return {
        proof.key: {
            "axis": number_axis(proof.key),
            "is_named": controls.is_named(proof.key),
            "reach": proof.reach,
            "corpus_low": proof.corpus.low,
            "corpus_high": proof.corpus.high,
            "correlation": proof.correlation,
            "achieved": proof.achieved,
            "leakage": dict(proof.leakage),
            "mmd2": proof.likeness._asdict(),
            "n_files": proof.n_files,
        }
        for proof in controls.proofs
    }


def _list_controls(replay: Replay) -> dict[str, Any]:
    return {name: asdict(control) for name, control in replay.controls.items()}
