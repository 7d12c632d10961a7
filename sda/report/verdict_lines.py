"""The verdict of an evaluation, and the figures that it stands on, as the end of a training tells them."""

import math
from collections.abc import Mapping

from sda.bootstrap import Estimate
from sda.evaluation.names import EMBEDDINGS
from sda.training.events import Evaluated
from sda.wording import format_share

REPLAY_NAMES = {"replay_rate": "generated seconds", "collage_rate": "quarter seconds"}
SILENCE_NAMES = {"near_silent_files": "generated files are near-silent", "silent_frames": "their time is silence"}


def say_verdict(evaluated: Evaluated, weakness: str = "") -> str:
    """An evaluation's verdict in words, the same wherever it is told.

    Args:
        weakness: why what was held out says less than it should.
    """
    return f"{evaluated.label}. {evaluated.headline}" + (f" Weak validation: {weakness}" if weakness else "")


def format_figures(figures: Mapping[str, float]) -> list[str]:
    """A line for each question: replays, likeness, form, silence; none for what was not measured."""
    rates = [_describe_rate(figures, f"memorisation.{name}", what) for name, what in REPLAY_NAMES.items()]
    lines = [f"    replays of training sound: {', '.join(rates)}; 1 % would be chance"]
    for name, words in EMBEDDINGS.items():
        ratio, rebuilt = (f"distribution.{name}.{key}" for key in ("ratio", "ratio_rebuilt"))
        if ratio in figures:
            floor = f"; training sound through the model {_describe(figures, rebuilt)}" if rebuilt in figures else ""
            lines.append(f"    likeness by {words}: {_describe(figures, ratio)} times as far as training sound{floor}")
    if "form.distance" in figures:
        made, train = (_describe(figures, f"form.{key}") for key in ("distance", "distance_train"))
        lines.append(f"    form: {made} spreads of real sound away from it; training sound {train}")
    shares = [
        f"{format_share(figures[made])} of {words} (real: {format_share(figures[real])})"
        for made, real, words in (
            (f"silence.generated.{name}", f"silence.real.{name}", words) for name, words in SILENCE_NAMES.items()
        )
        if made in figures and real in figures
    ]
    return [*lines, *([f"    silence: {', '.join(shares)}"] if shares else [])]


def _describe(figures: Mapping[str, float], key: str) -> str:
    """A figure with its interval."""
    return str(Estimate(figures[key], *(figures.get(f"{key}_{end}", math.nan) for end in ("low", "high"))))


def _describe_rate(figures: Mapping[str, float], key: str, what: str) -> str:
    if key not in figures:
        return f"not measured of {what}"
    rate = format_share(*(figures.get(f"{key}{end}", math.nan) for end in ("", "_low", "_high")))
    return f"{rate} of {what}"
