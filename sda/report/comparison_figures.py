"""A comparison as pictures: objective by axis, all axes side by side, and curves of held-out loss."""

import io
import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.text import Text

from sda.measures import Measure
from sda.runs.comparison import ComparedRun, Comparison, read_history
from sda.stored import to_figure

DPI = 130
COLOURS = ("#2f6f8f", "#b0307c", "#b57900", "#23633a", "#7a5195", "#a3261d", "#5f6b6d", "#1b9aaa")
"""One for each setting; more settings begin again."""
MOST_NAMED = 12
"""Settings that a legend still names."""


class Picture(NamedTuple):
    """One picture of a comparison."""

    name: str
    """Of its file, without an ending."""
    title: str
    png: bytes


def draw_pictures(comparison: Comparison) -> list[Picture]:
    """All that can be drawn of a comparison."""
    pictures = []
    if comparison.ranked:
        pictures = [
            Picture(f"axis_{key.replace('/', '_')}", f"by {key}", draw_axis(comparison, key)) for key in comparison.axes
        ]
        if comparison.axes:
            image = draw_parallel_coordinates(comparison)
            pictures.append(Picture("parallel_coordinates", "all keys side by side", image))
    losses = draw_losses(comparison.runs)
    return pictures if losses is None else [*pictures, Picture("held_out_loss", "held-out loss", losses)]


def draw_axis(comparison: Comparison, key: str) -> bytes:
    """The objective against one key: a dot for each run, and their mean and spread, as a PNG.

    Runs that share all other keys and differ in seed alone have one colour.
    """
    values = [value for value in comparison.axes[key] if any(run.setting[key] == value for run in comparison.ranked)]
    figure, axes = _begin(1.6 + 0.9 * max(4, len(values)), 3.4)
    others = list(dict.fromkeys(_name_others(run, key) for run in comparison.ranked))
    for number, other in enumerate(others):
        colour = COLOURS[number % len(COLOURS)]
        shift = 0.5 * ((number + 0.5) / len(others) - 0.5)
        own = [run for run in comparison.ranked if _name_others(run, key) == other]
        for joined in _list_joined(own, key, values):
            places, heights = zip(*((place + shift, _score(run, comparison)) for place, run in joined), strict=True)
            axes.plot(places, heights, color="#999", lw=0.6, zorder=1)
        means = []
        for place, value in enumerate(values):
            scores = [_score(run, comparison) for run in own if run.setting[key] == value]
            means.append(float(np.mean(scores)) if scores else math.nan)
            axes.plot([place + shift] * len(scores), scores, "o", color=colour, alpha=0.45, markersize=5, mew=0)
            if len(scores) > 1:
                axes.errorbar(place + shift, means[-1], yerr=float(np.std(scores, ddof=1)), color=colour, capsize=4)
        label = other if len(others) > 1 else None
        axes.plot(np.arange(len(values)) + shift, means, "-_", color=colour, markersize=14, label=label)
    axes.set_xticks(range(len(values)), values)
    axes.set_xlim(-0.5, len(values) - 0.5)
    axes.set_xlabel(key)
    axes.set_ylabel(comparison.measure.title)
    if 1 < len(others) <= MOST_NAMED:
        axes.legend(fontsize=8, frameon=False)
    _caption(
        axes,
        "dots: runs, those of a seed joined; bars: mean ± standard deviation" if comparison.n_repetitions > 1 else "",
    )
    return _end(figure)


def draw_parallel_coordinates(comparison: Comparison) -> bytes:
    """A line for each run through its value on every axis to its objective, as a PNG; dark is better."""
    keys = list(comparison.axes)
    figure, axes = _begin(2.6 + 1.7 * len(keys), 3.8)
    scores = np.array([_score(run, comparison) for run in comparison.ranked])
    low, high = float(scores.min()), float(scores.max())
    colour_of = ScalarMappable(Normalize(low, high if high > low else low + 1), "viridis")
    span = (high - low) or 1.0
    for run, score in sorted(zip(comparison.ranked, scores, strict=True), key=lambda pair: -pair[1]):
        heights = [_height(comparison.axes[key], run.setting[key]) for key in keys]
        axes.plot([*heights, (score - low) / span], color=colour_of.to_rgba(score), lw=1.8, alpha=0.85)
    for place, key in enumerate(keys):
        axes.axvline(place, color="#777", lw=0.8)
        for value in comparison.axes[key]:
            height = _height(comparison.axes[key], value)
            axes.annotate(value, (place, height), xytext=(5, 2), textcoords="offset points", fontsize=8)
    axes.axvline(len(keys), color="#777", lw=0.8)
    for share in (0.0, 0.5, 1.0):
        text = _spell(low + share * span, comparison.measure)
        axes.annotate(text, (len(keys), share), xytext=(5, -3), textcoords="offset points", fontsize=8)
    axes.set_xticks(range(len(keys) + 1), [*(key.rpartition(".")[2] for key in keys), comparison.measure.title])
    axes.set_xlim(-0.1, len(keys) + 0.35)
    axes.set_ylim(-0.06, 1.08)
    axes.set_yticks([])
    for side in ("left", "bottom"):
        axes.spines[side].set_visible(False)
    axes.tick_params(length=0)
    return _end(figure)


def draw_losses(runs: Sequence[ComparedRun]) -> bytes | None:
    """Held-out loss by epoch, a curve for each run in the colour of its setting, as a PNG; nothing without curves."""
    figure, axes = _begin(7.2, 3.6)
    settings = list(dict.fromkeys(run.setting_words for run in runs))
    named, n_drawn = set[str](), 0
    for run in runs:
        history = read_history(run.run_dir)
        if history is None or not history.epoch_metrics:
            continue
        number = settings.index(run.setting_words)
        label = None if run.setting_words in named else run.setting_words
        named.add(run.setting_words)
        epochs = [epoch.epoch for epoch in history.epoch_metrics]
        losses = [to_figure(epoch.val_loss) for epoch in history.epoch_metrics]
        mark = "o" if len(epochs) == 1 else ""
        axes.plot(epochs, losses, marker=mark, color=COLOURS[number % len(COLOURS)], lw=1.3, alpha=0.8, label=label)
        n_drawn += 1
    if n_drawn == 0:
        return None
    axes.set_xlabel("epoch")
    axes.set_ylabel("held-out loss, nats per cell")
    if len(settings) <= MOST_NAMED:
        axes.legend(fontsize=8, frameon=False)
    return _end(figure)


def _list_joined(runs: Sequence[ComparedRun], key: str, values: Sequence[str]) -> list[list[tuple[int, ComparedRun]]]:
    """Runs of each seed with their places on an axis, in order: they were judged on the same sound."""
    by_repetition: dict[str, list[tuple[int, ComparedRun]]] = {}
    for run in runs:
        by_repetition.setdefault(run.repetition_words, []).append((values.index(run.setting[key]), run))
    return [sorted(placed, key=lambda pair: pair[0]) for placed in by_repetition.values()]


def _begin(width_in: float, height_in: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(width_in, height_in), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    return figure, axes


def _end(figure: Figure) -> bytes:
    for text in figure.findobj(Text):
        text.set_parse_math(False)  # a value with a dollar in it is no formula
    image = io.BytesIO()
    figure.savefig(image, format="png", dpi=DPI)
    return image.getvalue()


def _caption(axes: Axes, words: str) -> None:
    axes.set_title(words, fontsize=8, color="#666", loc="left")


def _score(run: ComparedRun, comparison: Comparison) -> float:
    return comparison.measure.factor * run.figures[comparison.objective]


def _spell(value: float, measure: Measure) -> str:
    return f"{value:.{measure.digits}f}"


def _name_others(run: ComparedRun, key: str) -> str:
    """The rest of a run's setting."""
    return " ".join(f"{other.rpartition('.')[2]}={value}" for other, value in run.setting.items() if other != key)


def _height(values: Sequence[str], value: str) -> float:
    """Where a value lies on its axis, in [0, 1]: values in their order, evenly."""
    return values.index(value) / (len(values) - 1)
