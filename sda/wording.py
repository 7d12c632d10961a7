"""Wording: how a figure, its interval and a duration are written wherever they are shown."""

import math


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
