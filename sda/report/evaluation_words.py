"""Kinds of sound that are measured in an evaluation, in words."""

from typing import Any

FORM_KINDS = {
    "generated": "generated",
    "held_out": "held-out",
    "train": "training",
    "rebuilt": "training, rebuilt",
}
"""Kinds of sound that form is measured of, in the order in which they are shown."""
SILENT_KINDS = {"generated": "generated", "rebuilt": "training, rebuilt", "real": "real"}
"""Kinds of sound that silence is told of."""


def tell_drawn_again(silence: dict[str, Any]) -> str:
    """How often nothing could be heard of what was drawn; empty where that was never so.

    >>> tell_drawn_again({"generated": {"drawn_again": 3}})
    '3 draws in which nothing could be heard were made anew'
    """
    n_draws = silence.get("generated", {}).get("drawn_again", 0)
    if not n_draws:
        return ""
    noun, verb = ("draw", "was") if n_draws == 1 else ("draws", "were")
    return f"{n_draws} {noun} in which nothing could be heard {verb} made anew"
