"""Kinds of sound that are measured in an evaluation, in words."""

KINDS = {"train": "training", "held_out": "held-out", "generated": "generated"}
"""Kinds of sound, in the order in which the map draws them."""
FORM_KINDS = {
    "generated": "generated",
    "held_out": "held-out",
    "train": "training",
    "rebuilt": "training, rebuilt",
}
"""Kinds of sound that form is measured of, in the order in which they are shown."""
SILENT_KINDS = {"generated": "generated", "rebuilt": "training, rebuilt", "real": "real"}
"""Kinds of sound that silence is told of."""


def tell_drawn_again(n_draws: int) -> str:
    """How often nothing could be heard of what was drawn; empty where that was never so.

    >>> tell_drawn_again(3)
    '3 draws in which nothing could be heard were made anew'
    """
    if not n_draws:
        return ""
    noun, verb = ("draw", "was") if n_draws == 1 else ("draws", "were")
    return f"{n_draws} {noun} in which nothing could be heard {verb} made anew"
