"""The report of `evaluate.py` as one HTML file that needs nothing else: numbers, pictures and players inside."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from sda.bootstrap import Estimate
from sda.evaluation.latents import LatentSpace
from sda.evaluation.recordings import count_recordings, list_made
from sda.evaluation.suite import DistributionComparison, Memorisation
from sda.printable import make_printable
from sda.report.control_words import list_control_rows
from sda.report.evaluation import Evaluation, list_facts
from sda.report.evaluation_figures import (
    COUNT,
    MAP_HEIGHT,
    MAP_WIDTH,
    MOST_DOTS,
    RATE,
    SHARE,
    Figure,
    Place,
    Scale,
    draw_latents,
    draw_strip,
    fit_places,
    show_figure,
    to_percent,
)
from sda.report.evaluation_sections import list_correlations
from sda.report.evaluation_side_by_side import compare_assessments, show_figure_of
from sda.report.evaluation_sources import SourceStrip, draw_sources
from sda.report.evaluation_tables import (
    list_controls,
    list_form_kinds,
    list_likeness,
    list_measures,
    list_recordings,
    list_silence,
    list_sources,
    list_traits,
    tell_counts,
)
from sda.report.evaluation_words import FORM_KINDS, KINDS, tell_drawn_again
from sda.report.page import SoundList, render_page

TURNED_HEADS = (
    "range", "real sound", "rank correlation", "does of what is asked", "MMD² low, at rest, high", "moves along"
)  # fmt: skip
"""Columns of the table of controls."""


@dataclass(frozen=True)
class Point:
    """A window of sound on the map."""

    kind: str
    """`train`, `held_out` or `generated`."""
    title: str
    """Name of the file and where in it."""
    by_variance: tuple[float, float]
    """Place in the two directions of largest variance."""
    by_neighbours: tuple[float, float]
    """Place where neighbours stay neighbours (t-SNE)."""
    clip: str
    """Key of its sound among the report's clips."""


@dataclass(frozen=True)
class NearestRow:
    """A generated window beside the training sound that it is closest to."""

    title: str
    source_title: str
    """Name of the training file, and where in it."""
    correlation: float
    is_replay: bool
    clip: str
    source_clip: str


@dataclass(frozen=True)
class ListeningRow:
    """A held-out sound beside what the model makes of it."""

    title: str
    original: str
    reconstruction: str
    ceiling: str
    """Key of the original through the spectrogram and back, without a model."""


@dataclass(frozen=True)
class MadeRow:
    """A generated sound beside the recordings that it is made of."""

    title: str
    length_s: float
    """Of what is played and drawn."""
    made_of: dict[str, Any]
    """See `Provenance.describe`."""
    clip: str


@dataclass(frozen=True)
class Report:
    """One evaluation, as the page shows it; several of them are shown side by side."""

    name: str
    evaluation: Evaluation
    points: list[Point] = field(default_factory=list)
    nearest: list[NearestRow] = field(default_factory=list)
    listening: list[ListeningRow] = field(default_factory=list)
    made: list[MadeRow] = field(default_factory=list)
    clips: dict[str, str] = field(default_factory=dict)
    """Sounds as data URIs (MP3) by key; keys are unique within the report."""


Add = Callable[[str, str], int]
"""Puts a clip, by its key, among what the page plays, under a title; gives its number."""


class PlacedPoint(NamedTuple):
    """A point of the map and the sound it plays."""

    kind: str
    label: str
    place: Place
    sound: int


class NearestPair(NamedTuple):
    """A generated window and its nearest training sound, as they are shown and played."""

    title: str
    source_title: str
    correlation: Figure
    is_replay: bool
    sounds: tuple[int, int]


def draw_page(reports: Sequence[Report]) -> str:
    """The whole page: several reports side by side first, then each for itself.

    Raises:
        ValueError: there is no report.
    """
    if not reports:
        raise ValueError("there is no report to draw")
    sounds = SoundList()
    maps = [_place_points(report.points) for report in reports]
    views = [_view(report, number, sounds, maps[number]) for number, report in enumerate(reports)]
    return render_page(
        "evaluation.html.j2",
        views=views,
        compared=compare_assessments([one.evaluation.assessment for one in reports]) if len(reports) > 1 else [],
        kinds=KINDS,
        map_width=MAP_WIDTH,
        map_height=MAP_HEIGHT,
        most_dots=MOST_DOTS,
        data={"clips": [report.clips for report in reports], "sounds": sounds.entries, "maps": maps},
    )


def _view(report: Report, number: int, sounds: SoundList, places: dict[str, list[Place]]) -> dict[str, Any]:
    """One report as the template shows it; what was not measured is empty."""
    assessment = report.evaluation.assessment

    def add(clip: str, title: str) -> int:
        return sounds.add(number, clip, title)

    return {
        "number": number,
        "name": make_printable(report.name),
        **_view_verdict(report.evaluation),
        **_view_memorisation(assessment.memorisation),
        "nearest": _view_nearest(report.nearest, assessment.memorisation.replay.threshold, add),
        "made": _view_made(report.made, add),
        "recordings": list_recordings(count_recordings([made_of for _, made_of in list_made(assessment)])),
        "points": _view_points(report.points, places["spread"], add),
        "n_points": {kind: sum(point.kind == kind for point in report.points) for kind in KINDS},
        "variance_share": SHARE.write(assessment.variance_share),
        "sources": list(list_sources(assessment.reconstruction)),
        "measures": list_measures(assessment.reconstruction),
        "measured": tell_counts(assessment.reconstruction),
        "listening": [_view_listening(row, add) for row in report.listening],
        "likeness": list_likeness(assessment.distribution),
        "has_rebuilt": any(_has_rebuilt(one) for one in assessment.distribution.values()),
        "form": assessment.form,
        "form_kinds": [FORM_KINDS[kind] for kind in list_form_kinds(assessment.form)],
        "traits": list_traits(assessment.form),
        "silence": list_silence(assessment.silence),
        "drawn_again": tell_drawn_again(assessment.n_silent_draws),
        "turned": list_control_rows(assessment.controls) if assessment.controls is not None else [],
        "turned_heads": TURNED_HEADS,
        **_view_latents(assessment.latents),
    }


def _view_verdict(evaluation: Evaluation) -> dict[str, Any]:
    """What was evaluated, and what to make of it."""
    verdict = evaluation.assessment.verdict
    return {
        "facts": [make_printable(fact) for fact in list_facts(evaluation)],
        "weakness": evaluation.subject.validation_weakness,
        "verdict": verdict,
        "findings": [(one.text, show_figure_of(one.key, one.estimate)) for one in verdict.findings],
        "command": make_printable(evaluation.command),
    }


def _view_memorisation(memorisation: Memorisation) -> dict[str, Any]:
    """How much is replayed, and whether it would be noticed."""
    threshold, correlations = memorisation.replay.threshold, list_correlations(memorisation)
    return {
        "doubt": memorisation.replay.doubt,
        "threshold": threshold,
        "threshold_place": to_percent(threshold),
        "replay": show_figure(memorisation.replay.rate, RATE),
        "collage": show_figure(memorisation.collage.rate, RATE),
        "strip": draw_strip(correlations, threshold),
        "thinned": any(len(of_set) > MOST_DOTS for of_set in correlations.values()),
        "controls": list_controls(memorisation),
    }


def _view_nearest(rows: Sequence[NearestRow], threshold: float, add: Add) -> list[NearestPair]:
    pairs = []
    for row in rows:
        title, source_title = make_printable(row.title), make_printable(row.source_title)
        correlation = show_figure(Estimate(row.correlation), Scale(top=1.0, limit=threshold))
        sounds = add(row.clip, f"A, generated: {title}"), add(row.source_clip, f"B, training: {source_title}")
        pairs.append(NearestPair(title, source_title, correlation, row.is_replay, sounds))
    return pairs


def _view_made(rows: Sequence[MadeRow], add: Add) -> list[tuple[str, int, SourceStrip]]:
    """Generated sounds, each with the number of its clip and what it is made of."""
    strips = draw_sources([row.made_of for row in rows], [row.length_s for row in rows])
    titles = [make_printable(row.title) for row in rows]
    return [(title, add(row.clip, title), strip) for row, title, strip in zip(rows, titles, strips, strict=True)]


def _view_points(points: Sequence[Point], places: Sequence[Place], add: Add) -> list[PlacedPoint]:
    placed = []
    for point, place in zip(_order_points(points), places, strict=True):
        label = f"{KINDS[point.kind]}: {make_printable(point.title)}"
        placed.append(PlacedPoint(point.kind, label, place, add(point.clip, label)))
    return placed


def _view_listening(row: ListeningRow, add: Add) -> tuple[str, dict[str, int]]:
    """Name of a held-out sound, and what can be heard of it."""
    title = make_printable(row.title)
    clips = {"original": row.original, "reconstruction": row.reconstruction, "ceiling": row.ceiling}
    return title, {name: add(clip, f"{name}: {title}") for name, clip in clips.items()}


def _view_latents(latents: LatentSpace | None) -> dict[str, Any]:
    if latents is None:
        return {"latents": None}
    return {
        "latents": latents,
        "chart": draw_latents(latents),
        "information": show_figure(Estimate(latents.information), COUNT),
        "aggregate_kl": show_figure(Estimate(latents.aggregate_kl), COUNT),
    }


def _has_rebuilt(distribution: DistributionComparison) -> bool:
    return distribution.likeness is not None and distribution.likeness.rebuilt is not None


def _order_points(points: Sequence[Point]) -> list[Point]:
    """Generated ones last, so that they lie on top."""
    return sorted(points, key=lambda point: list(KINDS).index(point.kind))


def _place_points(points: Sequence[Point]) -> dict[str, list[Place]]:
    """Both layouts of the map in its own units, in the order in which points are drawn."""
    ordered = _order_points(points)
    return {
        "spread": fit_places([point.by_variance for point in ordered]),
        "neighbours": fit_places([point.by_neighbours for point in ordered]),
    }
