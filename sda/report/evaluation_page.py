"""The report of `evaluate.py` as one HTML file that needs nothing else: numbers, pictures and players inside."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from sda.evaluation.form import TRAITS
from sda.evaluation.names import EMBEDDINGS
from sda.evaluation.verdict import LEAST_SKILL, MOST_OVERFIT, MOST_UNLIKE
from sda.measures import RECONSTRUCTION
from sda.printable import make_printable
from sda.report.evaluation_figures import (
    COUNT,
    MAP_HEIGHT,
    MAP_WIDTH,
    MOST_DOTS,
    NUMBER,
    RATE,
    SHARE,
    Figure,
    Place,
    Scale,
    draw_latents,
    draw_strip,
    fit_places,
    read_number,
    show_figure,
    to_percent,
)
from sda.report.evaluation_sources import draw_sources
from sda.report.evaluation_words import FORM_KINDS, SILENT_KINDS, tell_drawn_again
from sda.report.page import SoundList, render_page


@dataclass(frozen=True)
class Point:
    """A window of sound on the map."""

    kind: str
    """`train`, `held_out` or `generated`."""
    title: str
    """Name of the file and where in it."""
    spread: tuple[float, float]
    """Place in the two directions of largest variance."""
    neighbours: tuple[float, float]
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
    facts: list[str]
    """What was evaluated: the epoch, how many files, the suite, a line each."""
    values: dict[str, Any]
    """What `evaluation.json` holds."""
    points: list[Point] = field(default_factory=list)
    variance_share: float = 0.0
    """Share of the variance that the two directions of `Point.spread` hold."""
    nearest: list[NearestRow] = field(default_factory=list)
    listening: list[ListeningRow] = field(default_factory=list)
    made: list[MadeRow] = field(default_factory=list)
    clips: dict[str, str] = field(default_factory=dict)
    """Sounds as data URIs (MP3) by key; keys are unique within the report."""


KINDS = {"train": "training", "held_out": "held-out", "generated": "generated"}
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
SCALES = {
    "memorisation.replay_rate": RATE,
    "memorisation.collage_rate": RATE,
    "reconstruction.skill_train": SHARE._replace(limit=LEAST_SKILL),
    "reconstruction.skill_held_out": SHARE,
    "reconstruction.error_ratio": Scale(unit="×", limit=MOST_OVERFIT),
    **{f"distribution.{name}.ratio": Scale(unit="×", limit=MOST_UNLIKE) for name in EMBEDDINGS},
    **{f"distribution.{name}.ratio_rebuilt": Scale(unit="×") for name in EMBEDDINGS},
    "silence.generated.near_silent_files": SHARE,
    "silence.generated.silent_frames": SHARE,
}
"""Of the figures that findings stand on."""
COMPARED = {
    "memorisation.replay_rate": ("replays, of seconds", RATE),
    "memorisation.collage_rate": ("collage, of quarter seconds", RATE),
    "reconstruction.skill_held_out": ("error taken away, held-out sound", SHARE),
    "reconstruction.skill_train": ("error taken away, training sound", SCALES["reconstruction.skill_train"]),
    "reconstruction.error_ratio": ("held-out over training error", SCALES["reconstruction.error_ratio"]),
    "reconstruction.held_out.model.log_mel_l1_db": ("mel spectrum, held-out sound, dB", NUMBER),
    "reconstruction.held_out.model.zimtohrli": ("Zimtohrli, held-out sound", Scale(digits=4)),
    "distribution.hand_made.ratio": ("distance ratio, timbre and movement", SCALES["distribution.hand_made.ratio"]),
    "distribution.hand_made.coverage": ("coverage, timbre and movement", SHARE),
    "distribution.aisfx.ratio": ("distance ratio, sound-effect network", SCALES["distribution.aisfx.ratio"]),
    "distribution.aisfx.coverage": ("coverage, sound-effect network", SHARE),
    "distribution.hand_made.ratio_rebuilt": ("the same of training sound, rebuilt", Scale(unit="×")),
    "distribution.aisfx.ratio_rebuilt": ("the same, sound-effect network", Scale(unit="×")),
    "form.distance": ("form, distance in spreads of real sound", NUMBER),
    "silence.generated.near_silent_files": ("near-silent files", SHARE),
    "silence.generated.silent_frames": ("silence, of the time", SHARE),
    "provenance.recordings_per_sound": ("recordings that make up a new sound", Scale(digits=1)),
    "provenance.largest_share": ("of a new sound from one recording", SHARE),
    "latents.active_units": ("active latent dimensions", COUNT),
    "latents.information": ("information, nats a latent", COUNT),
}
"""Main figures by their key in `evaluation.json`: what stands beside each other when there are several reports."""


class PlacedPoint(NamedTuple):
    """A point of the map and the sound it plays."""

    kind: str
    label: str
    place: Place
    sound: int


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
        compared=compare_reports(reports) if len(reports) > 1 else [],
        kinds=KINDS,
        map_width=MAP_WIDTH,
        map_height=MAP_HEIGHT,
        most_dots=MOST_DOTS,
        data={"clips": [report.clips for report in reports], "sounds": sounds.entries, "maps": maps},
    )


def compare_reports(reports: Sequence[Report]) -> list[tuple[str, list[Figure]]]:
    """Main figures, a row each with a column for every report; bars of a row share their axis."""
    rows = []
    for key, (label, scale) in COMPARED.items():
        path, _, name = key.rpartition(".")
        sections = [_find(report.values, path) for report in reports]
        shared = scale._replace(top=scale.top or _find_top(sections, name, scale.limit))
        figures = [show_figure(section, name, shared) for section in sections]
        if any(figure.text for figure in figures):
            rows.append((label, figures))
    return rows


def _view(report: Report, number: int, sounds: SoundList, places: dict[str, list[Place]]) -> dict[str, Any]:
    """One report as the template shows it; what was not measured is empty."""
    values = report.values
    memorisation, latents = values.get("memorisation", {}), values.get("latents")
    reconstruction = values.get("reconstruction", {})
    threshold = memorisation.get("threshold", 0.0)

    def add(clip: str, title: str) -> int:
        return sounds.add(number, clip, title)

    return {
        "number": number,
        "name": make_printable(report.name),
        "facts": [make_printable(fact) for fact in report.facts],
        "values": values,
        "findings": [
            (finding["text"], show_figure(finding, "value", SCALES.get(finding["key"], NUMBER), "interval"))
            for finding in values["verdict"]["findings"]
        ],
        "memorisation": memorisation,
        "threshold": to_percent(threshold),
        "replay": show_figure(memorisation, "replay_rate", RATE),
        "collage": show_figure(memorisation, "collage_rate", RATE),
        "strip": draw_strip(memorisation.get("correlations", {}), threshold),
        "thinned": any(len(values) > MOST_DOTS for values in memorisation.get("correlations", {}).values()),
        "controls": _list_controls(memorisation),
        "nearest": [
            {
                "title": make_printable(row.title),
                "source_title": make_printable(row.source_title),
                "correlation": show_figure({"r": row.correlation}, "r", Scale(top=1.0, limit=threshold)),
                "is_replay": row.is_replay,
                "sounds": (
                    add(row.clip, f"A, generated: {make_printable(row.title)}"),
                    add(row.source_clip, f"B, training: {make_printable(row.source_title)}"),
                ),
            }
            for row in report.nearest
        ],
        "made": [
            (make_printable(row.title), add(row.clip, make_printable(row.title)), strip)
            for row, strip in zip(
                report.made,
                draw_sources([row.made_of for row in report.made], [row.length_s for row in report.made]),
                strict=True,
            )
        ],
        "provenance": _list_provenance(values.get("provenance", {})),
        "points": [
            PlacedPoint(point.kind, label, place, add(point.clip, label))
            for point, place in zip(_order_points(report.points), places["spread"], strict=True)
            for label in [f"{KINDS[point.kind]}: {make_printable(point.title)}"]
        ],
        "n_points": {kind: sum(point.kind == kind for point in report.points) for kind in KINDS},
        "variance_share": SHARE.write(report.variance_share),
        "sources": [label for place, label in SOURCES.items() if _find(reconstruction, ".".join(place))],
        "measures": _list_measures(reconstruction),
        "measured": _tell_counts(reconstruction),
        "listening": [
            (
                make_printable(row.title),
                {
                    name: add(clip, f"{name}: {make_printable(row.title)}")
                    for name, clip in (
                        ("original", row.original),
                        ("reconstruction", row.reconstruction),
                        ("ceiling", row.ceiling),
                    )
                },
            )
            for row in report.listening
        ],
        "distribution": _list_resemblances(values.get("distribution", {})),
        "has_rebuilt": any("ratio_rebuilt" in one for one in values.get("distribution", {}).values()),
        "command": make_printable(values["verdict"].get("command", "")),
        "form": values.get("form", {}),
        "too_few_forms": values.get("form", {}).get("too_few", ""),
        "form_kinds": [name for kind, name in FORM_KINDS.items() if values.get("form", {}).get(kind)],
        "traits": _list_traits(values.get("form", {})),
        "silence": _list_silence(values.get("silence", {})),
        "drawn_again": tell_drawn_again(values.get("silence", {})),
        "latents": latents,
        "chart": draw_latents(latents) if latents else None,
        "information": show_figure(latents or {}, "information", COUNT),
        "aggregate_kl": show_figure(latents or {}, "aggregate_kl", COUNT),
    }


def _list_controls(memorisation: dict[str, Any]) -> list[dict[str, Any]]:
    """The controls, recognised in whole seconds and in pieces."""
    pieces = memorisation.get("collage_controls", {})
    return [
        {
            "label": CONTROLS.get(name, name),
            "n_windows": control["n_windows"],
            "median": show_figure(control, "median").text,
            "rate": show_figure(control, "rate", SHARE).text,
            "piece_rate": show_figure(pieces.get(name, {}), "rate", SHARE).text,
        }
        for name, control in memorisation.get("controls", {}).items()
    ]


def _list_measures(reconstruction: dict[str, Any]) -> list[tuple[str, str, list[Figure]]]:
    """What was measured on reconstructions: name, explanation, and a figure for each source that there is."""
    columns = [_find(reconstruction, ".".join(place)) for place in SOURCES]
    columns = [column for column in columns if column]
    names = dict.fromkeys(name for column in columns for name in column if not name.endswith("_interval"))
    rows = []
    for name in sorted(names, key=lambda name: list(RECONSTRUCTION).index(name)):
        measure = RECONSTRUCTION[name]
        figures = [show_figure(column, name, Scale(digits=measure.digits)) for column in columns]
        rows.append((measure.words, measure.hint, figures))
    return rows


def _tell_counts(reconstruction: dict[str, Any]) -> str:
    """How much was measured, in words."""
    clips, files = (reconstruction.get(key, {}) for key in ("n_clips", "n_files"))
    return ", ".join(f"{clips[side]} {KINDS[side]} clips of {files.get(side, '?')} files" for side in clips)


def _list_resemblances(distribution: dict[str, Any]) -> list[dict[str, Any]]:
    """How like unheard sound generated sound is, by each embedding."""
    rows = []
    for name, section in distribution.items():
        figures = {key: show_figure(section, key, Scale(digits=3)) for key in ("mmd2", "mmd2_train")}
        figures |= {key: show_figure(section, key) for key in ("density", "density_train")}
        figures |= {key: show_figure(section, key, SHARE) for key in ("coverage", "coverage_train")}
        label = EMBEDDINGS.get(name, name)
        ratio = show_figure(section, "ratio", Scale(unit="×"))
        figures["ratio_rebuilt"] = show_figure(section, "ratio_rebuilt", Scale(unit="×"))
        too_few = section.get("too_few") or ("" if ratio.text else "not measured")
        rows.append({"label": label, "section": section, "too_few": too_few, "ratio": ratio, **figures})
    return rows


def _list_traits(form: dict[str, Any]) -> list[tuple[str, str, list[Figure]]]:
    """Traits of form, then the distance: name, explanation, and a figure for each kind of sound that there is."""
    kinds = [kind for kind in FORM_KINDS if form.get(kind)]
    rows = [
        (trait.term, trait.words, [show_figure(form[kind], key, Scale(digits=trait.digits)) for kind in kinds])
        for key, trait in TRAITS.items()
        if any(key in form[kind] for kind in kinds)
    ]
    if "distance" not in form:
        return rows
    names = {"generated": "distance", "train": "distance_train", "rebuilt": "distance_rebuilt"}
    figures = [show_figure(form, names.get(kind, "")) for kind in kinds]
    return [*rows, ("distance from held-out sounds", "over all of these, in spreads of real sound", figures)]


def _list_silence(silence: dict[str, Any]) -> list[tuple[str, list[Figure]]]:
    """How much of each kind of sound is silence: of its files, of its time, of its seconds."""
    names = ("near_silent_files", "silent_frames", "windows_left_out")
    return [(SILENT_KINDS[kind], [show_figure(one, name, SHARE) for name in names]) for kind, one in silence.items()]


def _list_provenance(provenance: dict[str, Any]) -> list[tuple[str, str]]:
    """How many recordings new sound is made of, each number with what it says."""
    shown = {
        "recordings_per_sound": (Scale(digits=1), "recordings make up a sound, in the mean"),
        "largest_share": (SHARE, "of a sound, in the mean, comes from the recording that gives most of it"),
        "recordings_used": (COUNT, "training recordings are heard in one sound or another"),
    }
    figures = [(show_figure(provenance, key, scale).text, words) for key, (scale, words) in shown.items()]
    return [(text, words) for text, words in figures if text]


def _order_points(points: Sequence[Point]) -> list[Point]:
    """Generated ones last, so that they lie on top."""
    return sorted(points, key=lambda point: list(KINDS).index(point.kind))


def _place_points(points: Sequence[Point]) -> dict[str, list[Place]]:
    """Both layouts of the map in its own units, in the order in which points are drawn."""
    ordered = _order_points(points)
    return {
        "spread": fit_places([point.spread for point in ordered]),
        "neighbours": fit_places([point.neighbours for point in ordered]),
    }


def _find(values: dict[str, Any], path: str) -> dict[str, Any]:
    """The section at a dotted path; empty where there is none."""
    for key in path.split("."):
        values = values.get(key) or {}
    return values


def _find_top(sections: Sequence[dict[str, Any]], name: str, limit: float | None) -> float:
    """The end of an axis that holds every section's figure and interval."""
    numbers = [section.get(name) for section in sections]
    numbers += [bound for section in sections for bound in section.get(f"{name}_interval") or ()]
    return (
        1.1 * max([limit or 0.0, *(found for number in numbers if (found := read_number(number)) is not None)]) or 1.0
    )
