"""Main figures of an evaluation by their key in `evaluation.json`: how they are drawn, alone and beside others."""

import math
from collections.abc import Sequence

from sda.bootstrap import Estimate
from sda.evaluation.assessment import Assessment
from sda.evaluation.names import EMBEDDINGS
from sda.evaluation.verdict import LEAST_SKILL, MOST_OVERFIT, MOST_UNLIKE
from sda.measures import RECONSTRUCTION
from sda.report.evaluation_figures import COUNT, NUMBER, RATE, SHARE, Figure, Scale, show_figure
from sda.report.evaluation_sections import list_figures

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
    "reconstruction.held_out.model.log_mel_l1_db": Scale(digits=RECONSTRUCTION["log_mel_l1_db"].digits),
    "reconstruction.held_out.model.zimtohrli": Scale(digits=RECONSTRUCTION["zimtohrli"].digits),
    **{f"distribution.{name}.coverage": SHARE for name in EMBEDDINGS},
    "provenance.recordings_per_sound": Scale(digits=1),
    "provenance.largest_share": SHARE,
    "latents.active_units": COUNT,
    "latents.information": COUNT,
}
"""How figures are drawn that findings stand on, or that are compared, by their key in `evaluation.json`."""
COMPARED = {
    "memorisation.replay_rate": "replays, of seconds",
    "memorisation.collage_rate": "collage, of quarter seconds",
    "reconstruction.skill_held_out": "error taken away, held-out sound",
    "reconstruction.skill_train": "error taken away, training sound",
    "reconstruction.error_ratio": "held-out over training error",
    "reconstruction.held_out.model.log_mel_l1_db": "mel spectrum, held-out sound, dB",
    "reconstruction.held_out.model.zimtohrli": "Zimtohrli, held-out sound",
    "distribution.hand_made.ratio": "distance ratio, timbre and movement",
    "distribution.hand_made.coverage": "coverage, timbre and movement",
    "distribution.aisfx.ratio": "distance ratio, sound-effect network",
    "distribution.aisfx.coverage": "coverage, sound-effect network",
    "distribution.hand_made.ratio_rebuilt": "the same of training sound, rebuilt",
    "distribution.aisfx.ratio_rebuilt": "the same, sound-effect network",
    "form.distance": "form, distance in spreads of real sound",
    "silence.generated.near_silent_files": "near-silent files",
    "silence.generated.silent_frames": "silence, of the time",
    "provenance.recordings_per_sound": "recordings that make up a new sound",
    "provenance.largest_share": "of a new sound from one recording",
    "latents.active_units": "active latent dimensions",
    "latents.information": "information, nats a latent",
}
"""What stands beside each other when there are several reports, in this order, by its key in `evaluation.json`."""


def show_figure_of(key: str, estimate: Estimate) -> Figure:
    """A figure as its key says that it is drawn."""
    return show_figure(estimate, SCALES.get(key, NUMBER))


def compare_assessments(assessments: Sequence[Assessment]) -> list[tuple[str, list[Figure]]]:
    """Main figures, a row each with a column for every assessment; bars of a row share their axis."""
    listed = [list_figures(assessment) for assessment in assessments]
    rows = []
    for key, label in COMPARED.items():
        estimates = [one.get(key) for one in listed]
        scale = SCALES.get(key, NUMBER)
        shared = scale._replace(top=scale.top or _find_top(estimates, scale.limit))
        figures = [show_figure(estimate, shared) for estimate in estimates]
        if any(figure.text for figure in figures):
            rows.append((label, figures))
    return rows


def _find_top(estimates: Sequence[Estimate | None], limit: float | None) -> float:
    """The end of an axis that holds every figure and its interval."""
    numbers = [number for one in estimates if one is not None for number in (one.value, one.low, one.high)]
    return 1.1 * max([limit or 0.0, *filter(math.isfinite, numbers)]) or 1.0
