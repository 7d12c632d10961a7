"""What was assessed as plain values: the content of `evaluation.json`, and what MLflow is told of it."""

import math
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from torch import Tensor

from sda.bootstrap import Estimate
from sda.data.walk import EVALUATION_PAGE, EVALUATION_RECORD
from sda.evaluation.assessment import Assessment
from sda.evaluation.findings import find_blame
from sda.evaluation.form_comparison import Form, Silence
from sda.evaluation.memorisation import Replay, cut_match
from sda.evaluation.sounds import Sound
from sda.evaluation.suite import DistributionComparison, Memorisation
from sda.evaluation.trained_model import Reconstruction
from sda.generation.provenance import list_main
from sda.runs.objective import SECTIONS
from sda.runs.outputs import EVALUATION
from sda.training.events import Evaluated

SCHEMA = 1
VALUES = EVALUATION_RECORD
PAGE = EVALUATION_PAGE
MADE_OF = "provenance.json"
N_NEAREST = 20
"""Generated windows that are shown beside their nearest training sound."""


def list_values(assessment: Assessment, facts: dict[str, Any], command: str = "") -> dict[str, Any]:
    """Everything measured as JSON-ready values; each figure's interval stands beside it under `…_interval`.

    Args:
        facts: what was evaluated, put first.
        command: what to do next, as it can be pasted; empty where there is no run.
    """
    values: dict[str, Any] = {"schema": SCHEMA, **facts}
    audio = assessment.audio
    values["n_files"] = {
        "train": len({sound.name for sound in audio.train}),
        "held_out": len({sound.name for sound in audio.held_out}),
        "generated": len(audio.generated),
    }
    verdict = assessment.verdict
    values["verdict"] = {
        "label": verdict.label,
        "case": verdict.case,
        "headline": verdict.headline,
        "advice": verdict.advice,
        "command": command,
        "findings": [
            {"text": finding.text, "key": finding.key, **_spell("value", finding.estimate, "interval")}
            for finding in verdict.findings
        ],
    }
    if assessment.reconstruction is not None:
        values["reconstruction"] = _list_reconstruction(assessment.reconstruction)
    values["distribution"] = {name: _list_resemblance(one) for name, one in assessment.distribution.items()}
    values["form"] = _list_form(assessment.form)
    values["silence"] = {kind: _list_silence(one) for kind, one in assessment.silence.items()}
    if assessment.n_silent_draws:
        values["silence"].setdefault("generated", {})["drawn_again"] = assessment.n_silent_draws
    values["memorisation"] = _list_memorisation(assessment.memorisation, assessment)
    made = list_made(assessment)
    if made:
        values["provenance"] = count_recordings([made_of for _, made_of in made])
    if assessment.latents is not None:
        values["latents"] = asdict(assessment.latents)
    return values


def describe_subject(run_dir: Path, suite: str, epoch: int, checkpoint: str, weakness: str) -> dict[str, Any]:
    """What is evaluated of a run, as `evaluation.json` says it first.

    Args:
        suite: `small` or `full`.
        checkpoint: `best` or `last`.
        weakness: why what was held out says less than it should; empty where whole groups are.
    """
    return {
        "suite": suite,
        "run": str(run_dir),
        "epoch": epoch,
        "checkpoint": checkpoint,
        "validation_weakness": weakness,
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


def _spell(name: str, estimate: Estimate, interval: str = "") -> dict[str, Any]:
    """A figure and its interval, what is not finite as nothing."""
    bounds = [bound if math.isfinite(bound) else None for bound in (estimate.low, estimate.high)]
    return {name: estimate.value if math.isfinite(estimate.value) else None, interval or f"{name}_interval": bounds}


def _list_reconstruction(reconstruction: Reconstruction) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for side, sources in (("held_out", reconstruction.held_out), ("train", reconstruction.train)):
        if sources:
            values[side] = {
                source: {key: value for name, one in measures.items() for key, value in _spell(name, one).items()}
                for source, measures in sources.items()
            }
    values |= {"n_clips": reconstruction.n_clips, "n_files": reconstruction.n_files}
    values["edge_hz"] = reconstruction.edge_hz if math.isfinite(reconstruction.edge_hz) else None
    for side, skill in reconstruction.skill.items():
        values |= _spell(f"skill_{side}", skill)
    if reconstruction.error_ratio is not None:
        values |= _spell("error_ratio", reconstruction.error_ratio)
    return values


def _list_resemblance(distribution: DistributionComparison) -> dict[str, Any]:
    values: dict[str, Any] = {"too_few": distribution.too_few}
    likeness = distribution.likeness
    if likeness is None:
        return values
    for name, value in vars(likeness).items():
        if name != "rebuilt":
            values |= _spell(name, value) if isinstance(value, Estimate) else {name: value}
    if likeness.rebuilt is not None:
        rebuilt = likeness.rebuilt
        values |= _spell("mmd2_rebuilt", rebuilt.mmd2) | _spell("ratio_rebuilt", rebuilt.ratio)
        values |= {"density_rebuilt": rebuilt.density, "coverage_rebuilt": rebuilt.coverage}
        values |= _spell("lost_rebuilding", rebuilt.lost_rebuilding) | _spell("lost_drawing", rebuilt.lost_drawing)
        values["blame"] = find_blame(likeness)
    return values


def _list_form(form: Form) -> dict[str, Any]:
    values: dict[str, Any] = {"too_few": form.too_few, "longest_s": form.longest_s, "are_shots": form.are_shots}
    for kind, distance in form.distance.items():
        values |= _spell("distance" if kind == "generated" else f"distance_{kind}", distance)
    if form.excess is not None:
        values |= _spell("excess", form.excess)
    for kind, traits in form.traits.items():
        values[kind] = {key: value for name, one in traits.items() for key, value in _spell(name, one).items()}
    return values | {"distance_by_trait": form.distance_by_trait, "n_sounds": form.n_sounds}


def _list_silence(silence: Silence) -> dict[str, Any]:
    return {
        **_spell("near_silent_files", silence.near_silent_files),
        **_spell("silent_frames", silence.silent_frames),
        "windows_left_out": silence.windows_left_out,
    }


def _list_memorisation(memorisation: Memorisation, assessment: Assessment) -> dict[str, Any]:
    replay, collage = memorisation.replay, memorisation.collage
    return {
        **_spell("replay_rate", replay.rate),
        "window_s": memorisation.window_s,
        "threshold": replay.threshold,
        "null_median": replay.null_median,
        "n_null_windows": replay.n_null_windows,
        "n_null_files": replay.n_null_files,
        "n_windows": replay.n_windows,
        "doubt": replay.doubt,
        "controls": _list_controls(replay),
        **_spell("collage_rate", collage.rate),
        "collage_threshold": collage.threshold,
        "collage_controls": _list_controls(collage),
        "correlations": {
            name: [round(float(value), 4) for value in similarity.correlation]
            for name, similarity in memorisation.similarities.items()
        },
        "nearest": [row for row, _, _ in list_nearest(assessment)],
    }


def _list_controls(replay: Replay) -> dict[str, Any]:
    return {name: asdict(control) for name, control in replay.controls.items()}


def list_made(assessment: Assessment) -> list[tuple[Sound, dict[str, Any]]]:
    """The generated sounds of which it is known what they are made of, each with that."""
    # Of two folders of sound, nothing is known.
    together = zip(assessment.audio.generated, assessment.made_of, strict=False)
    return [(sound, made_of) for sound, made_of in together if made_of]


def count_recordings(made_of: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """How many recordings sounds are made of, and how much of a sound comes from one alone.

    Args:
        made_of: what each is made of, see `Provenance.describe`; one or more.
    """
    main = [list_main(one) for one in made_of]
    return {
        "recordings_per_sound": sum(map(len, main)) / len(main),
        "largest_share": sum(max(one["shares"].values(), default=0.0) for one in made_of) / len(made_of),
        "recordings_used": len({name for names in main for name in names}),
    }


def list_nearest(assessment: Assessment) -> Iterator[tuple[dict[str, Any], Tensor, Tensor]]:
    """Generated windows closest to training sound, one of each generated sound: the row, its sound, its source's."""
    memorisation, audio = assessment.memorisation, assessment.audio
    similarity, rate_hz = memorisation.similarities["generated"], audio.sample_rate_hz
    n_samples, shown = round(memorisation.window_s * rate_hz), set[int]()
    for index in (-similarity.correlation).argsort(kind="stable"):
        sound_index, start = int(similarity.sound[index]), int(similarity.window_start[index])
        if sound_index in shown:
            continue
        shown.add(sound_index)
        sound = audio.generated[sound_index]
        source, source_start_s = audio.train[similarity.source[index]], float(similarity.start_s[index])
        row = {
            "generated": sound.name,
            "start_s": sound.start_s + start / rate_hz,
            "source": source.name,
            "source_start_s": round(source_start_s, 3),
            "correlation": round(float(similarity.correlation[index]), 4),
            "is_replay": bool(similarity.correlation[index] > memorisation.replay.threshold),
        }
        yield row, sound.waveform[start : start + n_samples], cut_match(source, source_start_s, n_samples, rate_hz)
        if len(shown) == N_NEAREST:
            return
