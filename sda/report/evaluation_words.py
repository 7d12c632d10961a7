"""What is measured in an evaluation, by its key in `evaluation.json`, in words."""

from typing import Any, NamedTuple


class Wording(NamedTuple):
    """How a measure of reconstruction is called and written."""

    term: str
    """Its name among those who know it, with its unit."""
    words: str
    """The same for those who do not."""
    hint: str
    digits: int = 2


MEASURES = {
    "log_mel_l1_db": Wording("log-mel L1, dB", "Mel spectrum, dB", "log-mel L1: timbre and dynamics"),
    "multi_scale_mel_l1_db": Wording(
        "multi-scale mel L1, dB", "Mel spectrum at seven time scales, dB", "multi-scale mel L1"
    ),
    "mr_stft": Wording("MR-STFT", "Attacks and partials", "multi-resolution STFT distance, no unit"),
    "spectral_convergence": Wording("spectral convergence", "Peaks of the spectrum", "part of MR-STFT, no unit"),
    "lsd_0_4k_db": Wording("LSD 0–4 kHz, dB", "Spectrum, 0–4 kHz, dB", "log-spectral distance"),
    "lsd_4_12k_db": Wording("LSD 4–12 kHz, dB", "Spectrum, 4–12 kHz, dB", "log-spectral distance"),
    "lsd_12_24k_db": Wording("LSD 12–24 kHz, dB", "Spectrum, 12–24 kHz, dB", "log-spectral distance"),
    "loudness_error_db": Wording("loudness error, dB", "Loudness, dB", "difference of level"),
    "zimtohrli": Wording("Zimtohrli", "As people hear it", "Zimtohrli, no unit: 0.005 is plain to hear", digits=4),
}
"""In the order in which they are shown."""

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
