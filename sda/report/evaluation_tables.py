"""The tables of the evaluation's page: rows of figures, drawn from what was measured."""

import math
from collections.abc import Mapping
from typing import NamedTuple

from sda.bootstrap import Estimate
from sda.evaluation.form import TRAITS
from sda.evaluation.form_comparison import Form, Silence
from sda.evaluation.names import EMBEDDINGS
from sda.evaluation.recordings import Recordings
from sda.evaluation.suite import DistributionComparison, Memorisation
from sda.evaluation.trained_model import Reconstruction
from sda.measures import RECONSTRUCTION
from sda.report.evaluation_figures import COUNT, NUMBER, SHARE, Figure, Scale, show_figure
from sda.report.evaluation_words import FORM_KINDS, KINDS, SILENT_KINDS

CONTROLS = {
    "copies": "plain copies of training sound, cut a little later",
    "augmented": "training sound, varied as training varies it",
    "reconstructed": "training sound, through the model",
}
SOURCES = {
    ("held_out", "model"): "model, held-out sound",
    ("held_out", "drawn"): "the same with its noise",
    ("train", "model"): "model, training sound",
    ("held_out", "mean_mel"): "mean mel (knows nothing)",
    ("held_out", "ceiling"): "mel and back, no model",
}
"""Columns of the table of reconstructions: a side and a source of `Reconstruction`, in words."""

TableRow = tuple[str, str, list[Figure]]
"""Name, explanation, and a figure for each column."""


class ControlRow(NamedTuple):
    """Sound that is known to be training sound, recognised in whole seconds and in pieces."""

    label: str
    n_windows: int
    median: str
    rate: str
    piece_rate: str


class LikenessRow(NamedTuple):
    """How like unheard sound generated sound is, by one embedding."""

    label: str
    too_few: str
    """Why there are no figures; all of them are empty then."""
    counted: str = ""
    """What was compared."""
    ratio: Figure = Figure("")
    ratio_rebuilt: Figure = Figure("")
    mmd2: Figure = Figure("")
    mmd2_train: Figure = Figure("")
    density: str = ""
    density_train: str = ""
    coverage: str = ""
    coverage_train: str = ""


def list_controls(memorisation: Memorisation) -> list[ControlRow]:
    """The controls, recognised in whole seconds and in pieces."""
    pieces = memorisation.collage.controls
    return [
        ControlRow(
            label=CONTROLS.get(name, name),
            n_windows=control.n_windows,
            median=_write(control.median),
            rate=_write(control.rate, SHARE),
            piece_rate=_write(pieces[name].rate, SHARE) if name in pieces else "",
        )
        for name, control in memorisation.replay.controls.items()
    ]


def list_sources(reconstruction: Reconstruction | None) -> dict[str, Mapping[str, Estimate]]:
    """What was measured on reconstructions, a column for each source that there is, by its name."""
    if reconstruction is None:
        return {}
    sides = {"held_out": reconstruction.held_out, "train": reconstruction.train}
    found = {label: sides[side].get(source, {}) for (side, source), label in SOURCES.items()}
    return {label: column for label, column in found.items() if column}


def list_measures(reconstruction: Reconstruction | None) -> list[TableRow]:
    """A row for each measure that was taken of any source."""
    columns = list_sources(reconstruction).values()
    return [
        (
            measure.words,
            measure.hint,
            [show_figure(column.get(key), Scale(digits=measure.digits)) for column in columns],
        )
        for key, measure in RECONSTRUCTION.items()
        if any(key in column for column in columns)
    ]


def tell_counts(reconstruction: Reconstruction | None) -> str:
    """How much was put through the model, in words."""
    if reconstruction is None:
        return ""
    n_clips, n_files = reconstruction.n_clips, reconstruction.n_files
    return ", ".join(f"{n_clips[side]} {KINDS[side]} clips of {n_files[side]} files" for side in n_clips)


def list_likeness(distribution: Mapping[str, DistributionComparison]) -> list[LikenessRow]:
    """How like unheard sound generated sound is, by each embedding."""
    return [_show_likeness(EMBEDDINGS.get(name, name), one) for name, one in distribution.items()]


def _show_likeness(label: str, distribution: DistributionComparison) -> LikenessRow:
    likeness = distribution.likeness
    if likeness is None or not math.isfinite(likeness.ratio.value):
        return LikenessRow(label, distribution.too_few or "not measured")
    rebuilt = likeness.rebuilt
    return LikenessRow(
        label=label,
        too_few="",
        counted=f"{likeness.n_windows} windows against {likeness.n_held_out_windows} of {likeness.n_held_out_files} "
        "held-out files",
        ratio=show_figure(likeness.ratio, Scale(unit="×")),
        ratio_rebuilt=show_figure(None if rebuilt is None else rebuilt.ratio, Scale(unit="×")),
        mmd2=show_figure(likeness.mmd2, Scale(digits=3)),
        mmd2_train=show_figure(likeness.mmd2_train, Scale(digits=3)),
        density=_write(likeness.density),
        density_train=_write(likeness.density_train),
        coverage=_write(likeness.coverage, SHARE),
        coverage_train=_write(likeness.coverage_train, SHARE),
    )


def list_form_kinds(form: Form) -> list[str]:
    """Kinds of sound that form was measured of, in the order in which they are shown."""
    return [kind for kind in FORM_KINDS if form.traits.get(kind)]


def list_traits(form: Form) -> list[TableRow]:
    """Traits of form, then the distance, with a figure for each kind of sound that there is."""
    kinds = list_form_kinds(form)
    columns = [form.traits[kind] for kind in kinds]
    rows = [
        (trait.term, trait.words, [show_figure(column.get(key), Scale(digits=trait.digits)) for column in columns])
        for key, trait in TRAITS.items()
        if any(key in column for column in columns)
    ]
    if "generated" not in form.distance:
        return rows
    figures = [show_figure(form.distance.get(kind)) for kind in kinds]
    return [*rows, ("distance from held-out sounds", "over all of these, in spreads of real sound", figures)]


def list_silence(silence: Mapping[str, Silence]) -> list[tuple[str, list[Figure]]]:
    """How much of each kind of sound is silence: of its files, of its time, of its seconds."""
    return [
        (
            SILENT_KINDS[kind],
            [
                show_figure(estimate, SHARE)
                for estimate in (one.near_silent_files, one.silent_frames, Estimate(one.windows_left_out))
            ],
        )
        for kind, one in silence.items()
    ]


def list_recordings(recordings: Recordings | None) -> list[tuple[str, str]]:
    """How many recordings new sound is made of, each number with what it says."""
    if recordings is None:
        return []
    return [
        (_write(recordings.recordings_per_sound, Scale(digits=1)), "recordings make up a sound, in the mean"),
        (
            _write(recordings.largest_share, SHARE),
            "of a sound, in the mean, comes from the recording that gives most of it",
        ),
        (_write(recordings.recordings_used, COUNT), "training recordings are heard in one sound or another"),
    ]


def _write(number: float, scale: Scale = NUMBER) -> str:
    """A number without an interval; empty where it is none."""
    return show_figure(Estimate(number), scale).text
