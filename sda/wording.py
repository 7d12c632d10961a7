"""Wording: how a figure, its interval and a duration are written wherever they are shown."""

import math

LONG_S = 15 * 60.0
"""A training that takes longer is told that it can be given a time."""


def format_duration(seconds: float) -> str:
    """A duration as people write it; one that is no number of seconds is unknown.

    >>> format_duration(59.6), format_duration(125), format_duration(7260)
    ('60 s', '2 min 5 s', '2 h 1 min')
    """
    if not math.isfinite(seconds):
        return "?"
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 90:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def format_share(value: float, low: float = math.nan, high: float = math.nan, *, sign: str = "") -> str:
    """A share in per cent, with its interval where there is one.

    Args:
        sign: `+` writes the sign of what is not negative too.

    >>> format_share(0.25), format_share(0.25, 0.1, 0.4), format_share(0.34, 0.21, 0.5, sign="+")
    ('25 %', '25 % (10 to 40)', '+34 % (+21 to +50)')
    """
    bounds = "" if math.isnan(low) or math.isnan(high) else f" ({100 * low:{sign}z.0f} to {100 * high:{sign}z.0f})"
    return f"{100 * value:{sign}z.0f} %{bounds}"


def suggest_time(seconds: float) -> str:
    """How a training that would take so long could be shorter; empty where it is short.

    >>> suggest_time(7200.0), suggest_time(60.0)
    ('training.minutes=10 ends in ten minutes', '')
    """
    return "training.minutes=10 ends in ten minutes" if seconds > LONG_S else ""
