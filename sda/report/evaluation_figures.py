"""Figures of an evaluation as they are drawn: numbers on axes, dots in rows, a latent space, a map."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from sda.bootstrap import Estimate
from sda.evaluation.latents import LatentSpace
from sda.evaluation.verdict import MOST_REPLAYED
from sda.losses.objective import ACTIVE_UNIT_VARIANCE

Place = tuple[float, float]

MAP_WIDTH, MAP_HEIGHT, MAP_MARGIN = 720, 440, 16
"""Of the map, in its own units."""
MOST_DOTS = 400
"""Of a row of the strip plot; of more windows, some spread evenly over their correlations are drawn."""
DOT_ROWS_PX = (7, 15, 11, 19)
"""Heights that neighbouring dots take in turn, so that they hide each other less."""
SETS = {
    "generated": "generated",
    "unheard": "unheard (the null)",
    "copies": "plain copies",
    "augmented": "varied copies",
    "reconstructed": "reconstructions",
}
"""Rows of the strip plot."""


class Scale(NamedTuple):
    """How figures of a kind are written, and the axis of their bars."""

    factor: float = 1.0
    digits: int = 2
    unit: str = ""
    top: float | None = None
    """End of the axis, which starts at 0; None where the largest figure sets it."""
    limit: float | None = None
    """Where the verdict draws its line."""

    def write(self, *numbers: float) -> str:
        """One number with its unit, or the ends of its interval, in brackets.

        >>> Scale(100, 0, " %").write(0.1), Scale(100, 0, " %").write(0.1, 0.25)
        ('10 %', '(10 to 25)')
        """
        text = " to ".join(f"{self.factor * number:.{self.digits}f}" for number in numbers).replace("-", "−")
        return f"{text}{self.unit}" if len(numbers) == 1 else f"({text})"


SHARE = Scale(factor=100, digits=0, unit=" %", top=1.0)
RATE = SHARE._replace(limit=MOST_REPLAYED)
NUMBER = Scale()
COUNT = Scale(digits=0)


class Bar(NamedTuple):
    """A figure on its axis, in percent of the axis' length."""

    value: float
    low: float | None
    high: float | None
    limit: float | None


class Figure(NamedTuple):
    """A number as it is written; all of it is empty where there is none."""

    text: str
    bounds: str = ""
    bar: Bar | None = None


class StripRow(NamedTuple):
    """The correlations of a set of windows."""

    name: str
    label: str
    n_windows: int
    dots: list[Place]
    """Along the axis in percent, and down the row in pixels."""
    median: float
    above: str
    """Share above the threshold."""


class LatentChart(NamedTuple):
    """What is drawn of a latent space, all lengths and places in percent."""

    heights: list[tuple[float, bool]]
    """KL by dimension, largest first, each with whether the dimension is active."""
    largest: str
    means: list[Place]
    deviations: list[Place]
    ticks: list[tuple[float, str]]
    """Axis of means and deviations."""
    zero: float
    one: float
    """Where the prior puts all means and all deviations on it."""


def show_figure(estimate: Estimate | None, scale: Scale = NUMBER) -> Figure:
    """A figure with its interval, and its bar.

    >>> show_figure(Estimate(0.25, 0.1, 0.4), SHARE)
    Figure(text='25 %', bounds='(10 to 40)', bar=Bar(value=25.0, low=10.0, high=40.0, limit=None))
    """
    if estimate is None or not math.isfinite(estimate.value):
        return Figure("")
    value = estimate.value
    low, high = (bound if math.isfinite(bound) else None for bound in (estimate.low, estimate.high))
    top = scale.top or 1.1 * max(value, high or 0.0, scale.limit or 0.0) or 1.0

    def place(number: float | None) -> float | None:
        return None if number is None else to_percent(number / top)

    bar = Bar(to_percent(value / top), place(low), place(high), place(scale.limit))
    bounds = "" if low is None or high is None else scale.write(low, high)
    return Figure(scale.write(value), bounds, bar)


def draw_strip(correlations: dict[str, list[float]], threshold: float) -> list[StripRow]:
    """A row of dots for each set of windows."""
    rows = []
    for name, label in SETS.items():
        values = np.sort(np.asarray(correlations.get(name, []), dtype=np.float64))
        if len(values) == 0:
            continue
        chosen = values[np.linspace(0, len(values) - 1, min(len(values), MOST_DOTS)).round().astype(int)]
        dots = [(to_percent(value), float(DOT_ROWS_PX[n % len(DOT_ROWS_PX)])) for n, value in enumerate(chosen)]
        above = SHARE.write(float((values > threshold).mean()))
        rows.append(StripRow(name, label, len(values), dots, to_percent(float(np.median(values))), above))
    return rows


def draw_latents(latents: LatentSpace) -> LatentChart:
    """The charts of a latent space."""
    kl, variance = np.asarray(latents.kl_by_dimension), np.asarray(latents.variance_of_means)
    largest = max(float(kl.max()), 1e-9)
    heights = [
        (to_percent(float(kl[n]) / largest), bool(variance[n] > ACTIVE_UNIT_VARIANCE))
        for n in np.argsort(-kl, kind="stable")
    ]
    means, deviations = latents.aggregate_mean, latents.aggregate_deviation
    low = min(-1.0, float(np.floor(min(means))))
    high = max(2.0, float(np.ceil(max(*means, *deviations))))

    def place(number: float) -> float:
        return to_percent((number - low) / (high - low))

    def scatter(numbers: list[float]) -> list[Place]:
        return [(place(number), float(DOT_ROWS_PX[n % len(DOT_ROWS_PX)])) for n, number in enumerate(sorted(numbers))]

    step = max(1, round((high - low) / 8))
    ticks = [(place(tick), f"{tick:g}".replace("-", "−")) for tick in np.arange(low, high + 0.5, step)]
    return LatentChart(heights, f"{largest:.1f}", scatter(means), scatter(deviations), ticks, place(0.0), place(1.0))


def fit_places(places: Sequence[Place]) -> list[Place]:
    """Places scaled into the map and centred, both directions by the same factor; up stays up.

    >>> fit_places([(0.0, 0.0), (0.0, 1.0)])
    [(360.0, 424.0), (360.0, 16.0)]
    """
    if not places:
        return []
    found = np.asarray(places, dtype=np.float64)
    size = np.array([MAP_WIDTH, MAP_HEIGHT], dtype=np.float64)
    extent = np.maximum(np.ptp(found, axis=0), 1e-9)
    factor = float(((size - 2 * MAP_MARGIN) / extent).min())
    centre = (found.max(axis=0) + found.min(axis=0)) / 2
    fitted = size / 2 + (found - centre) * factor * np.array([1.0, -1.0])
    return [(float(x), float(y)) for x, y in fitted.round(1)]


def to_percent(share: float) -> float:
    """A share of an axis, what lies beyond an end put there."""
    return round(100 * min(max(float(share), 0.0), 1.0), 2)
