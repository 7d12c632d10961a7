"""An evaluation as the terminal shows it."""

import math
from collections.abc import Iterable
from itertools import islice

from sda.bootstrap import Estimate
from sda.evaluation.assessment import Assessment
from sda.evaluation.controls import ProvenControls
from sda.evaluation.form import TRAITS
from sda.evaluation.form_comparison import Form
from sda.evaluation.latents import LatentSpace
from sda.evaluation.memorisation import WINDOW_S
from sda.evaluation.names import EMBEDDINGS
from sda.evaluation.nearest import list_nearest
from sda.evaluation.suite import DistributionComparison
from sda.evaluation.trained_model import Reconstruction
from sda.measures import RECONSTRUCTION
from sda.report.advice import format_advice
from sda.report.control_words import list_control_rows
from sda.report.evaluation_words import FORM_KINDS, tell_drawn_again
from sda.wording import format_share

N_CLOSEST = 3
"""Generated windows that are named with the training sound that they are closest to."""


def format_assessment(assessment: Assessment, command: str = "") -> list[str]:
    """What was assessed as lines for the terminal.

    Args:
        command: what to do next, as it can be pasted; empty where there is no run.
    """
    verdict = assessment.verdict
    lines = [f"  verdict: {verdict.label}. {verdict.headline}"]
    lines += [f"    {finding.text}" for finding in verdict.findings]
    lines += format_advice(verdict.advice, command)
    lines += _format_reconstruction(assessment.reconstruction)
    for name, one in assessment.distribution.items():
        lines += _format_likeness(EMBEDDINGS.get(name, name), one)
    lines += _format_form(assessment.form)
    drawn_again = tell_drawn_again(assessment.n_silent_draws)
    lines += [f"  silence: {drawn_again}"] if drawn_again else []
    lines += _format_memorisation(assessment)
    return [*lines, *_format_latents(assessment.latents), *_format_controls(assessment.controls)]


def format_place(seconds: float) -> str:
    """A place in a file, minutes and seconds.

    >>> format_place(62.34)
    '1:02.34'
    """
    hundredths = round(100 * seconds)
    return f"{hundredths // 6000}:{hundredths % 6000 // 100:02d}.{hundredths % 100:02d}"


def _format_reconstruction(reconstruction: Reconstruction | None) -> list[str]:
    """A table of measures by source."""
    if reconstruction is None:
        return []
    held_out, train = reconstruction.held_out, reconstruction.train
    columns = {"held-out, model": held_out["model"]}
    if "drawn" in held_out:
        columns["with its noise"] = held_out["drawn"]
    if train:
        columns["training, model"] = train["model"]
    columns |= {"mean mel": held_out["mean_mel"], "mel and back": held_out["ceiling"]}
    title = f"  reconstruction of {reconstruction.n_clips['held_out']} held-out chunks"
    lines = [_format_row(title, columns)]
    for key in held_out["model"]:
        measure = RECONSTRUCTION[key]
        cells = [_format_cell(column.get(key), measure.digits) for column in columns.values()]
        lines.append(_format_row(f"    {measure.title}", cells))
    if math.isfinite(reconstruction.edge_hz):
        lines.append(f"    spectra are judged up to {reconstruction.edge_hz / 1000:.3g} kHz, where these sounds end")
    return lines


def _format_likeness(label: str, distribution: DistributionComparison) -> list[str]:
    """How like unheard sound generated sound is, by one embedding."""
    title, likeness = f"  likeness to unheard sound, {label}: ", distribution.likeness
    if likeness is None:
        return [title + distribution.too_few]
    text = (
        f"{title}MMD² {likeness.mmd2.value:.3f}, training sound {likeness.mmd2_train.value:.3f}; ratio "
        f"{_show(likeness.ratio)}; density {likeness.density:.2f} ({likeness.density_train:.2f}), "
        f"coverage {likeness.coverage:.2f} ({likeness.coverage_train:.2f})"
    )
    rebuilt = likeness.rebuilt
    if rebuilt is None:
        return [text]
    text_of_rebuilt = (
        f"    training sound through the model: ratio {_show(rebuilt.ratio)}; density "
        f"{rebuilt.density:.2f}, coverage {rebuilt.coverage:.2f}"
    )
    return [text, text_of_rebuilt]


def _format_form(form: Form) -> list[str]:
    """A table of traits by kind of sound."""
    title = f"  form, of {form.longest_s:.1f} s at most"
    lines = [f"{title}: {form.too_few}"] if form.too_few else []
    kinds = [kind for kind in FORM_KINDS if form.traits.get(kind)]
    if not kinds:
        return lines
    lines.append(_format_row(title, [FORM_KINDS[kind] for kind in kinds]))
    columns = [form.traits[kind] for kind in kinds]
    for key, trait in TRAITS.items():
        if any(key in column for column in columns):
            cells = [_format_cell(column.get(key), trait.digits) for column in columns]
            lines.append(_format_row(f"    {trait.term}", cells))
    if "generated" in form.distance:
        cells = [_show(form.distance[kind]) if kind in form.distance else "" for kind in kinds]
        lines.append(_format_row("    distance from held-out sounds, spreads", cells))
    return lines


def _format_memorisation(assessment: Assessment) -> list[str]:
    """How much is replayed, and the generated windows closest to training sound."""
    memorisation = assessment.memorisation
    replay, collage, window_s = memorisation.replay, memorisation.collage, memorisation.window_s
    windows = "seconds" if window_s == WINDOW_S else f"windows of {1000 * window_s:.0f} ms"
    controls = ", ".join(f"{name} {format_share(one.rate)}" for name, one in replay.controls.items())
    text = (
        f"  replays: {_show(replay.rate)} of {windows} above a correlation of {replay.threshold:.2f}, "
        f"{_show(collage.rate)} of quarter seconds; recognised: {controls}"
    )
    closest = [
        f"    closest: {row.generated} at {row.start_s:.1f} s and {row.source} at "
        f"{format_place(row.source_start_s)}, correlation {row.correlation:.2f}"
        for row, _, _ in islice(list_nearest(assessment.audio, memorisation), N_CLOSEST)
    ]
    return [text, *closest]


def _format_latents(latents: LatentSpace | None) -> list[str]:
    if latents is None:
        return []
    n_dimensions = len(latents.kl_by_dimension)
    text = (
        f"  latents: {latents.active_units} of {n_dimensions} active, {latents.information:.0f} nats a latent, "
        f"{latents.aggregate_kl:.0f} nats between all sounds and the prior"
    )
    return [text]


def _format_controls(controls: ProvenControls | None) -> list[str]:
    """What can be turned, and what is heard of it on held-out sound."""
    if controls is None:
        return []
    lines = ["  controls, turned on held-out sound: rank correlation of what is asked for and what is heard"]
    for row in list_control_rows(controls):
        moves = f"; moves along: {row.moves}" if row.moves != "–" else ""
        like = f"; MMD² low, at rest, high: {row.likeness}"
        lines.append(
            f"    {row.key}={row.range}  {row.name}: {row.correlation}; does {row.achieved} of it{like}{moves}"
        )
    return lines


def _format_row(label: str, cells: Iterable[str]) -> str:
    """A row of a table, or its head."""
    return f"{label:<42}" + "".join(f"{cell:>24}" for cell in cells)


def _format_cell(estimate: Estimate | None, digits: int) -> str:
    """A figure of a table with its interval; a dash where it could not be measured."""
    if estimate is None or not math.isfinite(estimate.value):
        return "–"
    bounds = f" ({estimate.low:.{digits}f}–{estimate.high:.{digits}f})" if math.isfinite(estimate.low) else ""
    return f"{estimate.value:.{digits}f}{bounds}"


def _show(estimate: Estimate) -> str:
    """A figure with its interval."""
    return str(estimate) if math.isfinite(estimate.value) else "not measured"
