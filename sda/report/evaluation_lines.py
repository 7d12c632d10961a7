"""An evaluation as the terminal shows it."""

import math
from typing import Any

from sda.bootstrap import Estimate
from sda.evaluation.form import TRAITS
from sda.evaluation.memorisation import WINDOW_S
from sda.evaluation.names import EMBEDDINGS
from sda.measures import RECONSTRUCTION
from sda.report.advice import format_advice
from sda.report.evaluation_words import FORM_KINDS, tell_drawn_again


def format_values(values: dict[str, Any]) -> list[str]:
    """The evaluation as lines for the terminal."""
    verdict = values["verdict"]
    lines = [f"  verdict: {verdict['label']}. {verdict['headline']}"]
    lines += [f"    {finding['text']}" for finding in verdict["findings"]]
    lines += format_advice(verdict["advice"], verdict["command"])
    lines += _format_reconstruction(values.get("reconstruction"))
    for name, figures in values["distribution"].items():
        title = f"  likeness to unheard sound, {EMBEDDINGS.get(name, name)}: "
        if figures["too_few"]:
            lines.append(title + figures["too_few"])
            continue
        lines.append(
            f"{title}MMD² {figures['mmd2']:.3f}, training sound {figures['mmd2_train']:.3f}; ratio "
            f"{_show(figures, 'ratio')}; density {figures['density']:.2f} ({figures['density_train']:.2f}), "
            f"coverage {figures['coverage']:.2f} ({figures['coverage_train']:.2f})"
        )
        if "ratio_rebuilt" in figures:
            lines.append(
                f"    training sound through the model: ratio {_show(figures, 'ratio_rebuilt')}; density "
                f"{figures['density_rebuilt']:.2f}, coverage {figures['coverage_rebuilt']:.2f}"
            )
    lines += _format_form(values["form"])
    drawn_again = tell_drawn_again(values.get("silence", {}))
    if drawn_again:
        lines.append(f"  silence: {drawn_again}")
    memorisation = values["memorisation"]
    controls = ", ".join(f"{name} {one['rate']:.0%}" for name, one in memorisation["controls"].items())
    lines.append(
        f"  replays: {_show(memorisation, 'replay_rate')} of {_name_windows(memorisation)} above a correlation of "
        f"{memorisation['threshold']:.2f}, {_show(memorisation, 'collage_rate')} of quarter seconds; "
        f"recognised: {controls}"
    )
    for row in memorisation["nearest"][:3]:
        lines.append(
            f"    closest: {row['generated']} at {row['start_s']:.1f} s and {row['source']} at "
            f"{format_place(row['source_start_s'])}, correlation {row['correlation']:.2f}"
        )
    if "latents" in values:
        latents = values["latents"]
        n_dimensions = len(latents["kl_by_dimension"])
        lines.append(
            f"  latents: {latents['active_units']} of {n_dimensions} active, "
            f"{latents['information']:.0f} nats a latent, "
            f"{latents['aggregate_kl']:.0f} nats between all sounds and the prior"
        )
    return lines


def format_place(seconds: float) -> str:
    """A place in a file, minutes and seconds.

    >>> format_place(62.34)
    '1:02.34'
    """
    hundredths = round(100 * seconds)
    return f"{hundredths // 6000}:{hundredths % 6000 // 100:02d}.{hundredths % 100:02d}"


def _show(values: dict[str, Any], name: str) -> str:
    """A figure with its interval."""
    if values[name] is None:
        return "not measured"
    low, high = values[f"{name}_interval"]
    nan = math.nan
    return str(Estimate(values[name], nan if low is None else low, nan if high is None else high))


def _name_windows(memorisation: dict[str, Any]) -> str:
    """What was searched for: seconds, or windows as long as short sounds are."""
    window_s = memorisation.get("window_s", WINDOW_S)
    return "seconds" if window_s == WINDOW_S else f"windows of {1000 * window_s:.0f} ms"


def _format_reconstruction(values: dict[str, Any] | None) -> list[str]:
    """A table of measures by source."""
    if values is None:
        return []
    columns = {"held-out, model": values["held_out"]["model"]}
    if "drawn" in values["held_out"]:
        columns["with its noise"] = values["held_out"]["drawn"]
    if "train" in values:
        columns["training, model"] = values["train"]["model"]
    columns |= {"mean mel": values["held_out"]["mean_mel"], "mel and back": values["held_out"]["ceiling"]}
    title = f"  reconstruction of {values['n_clips']['held_out']} held-out chunks"
    edge_hz = values.get("edge_hz")
    lines = [f"{title:<42}" + "".join(f"{name:>24}" for name in columns)]
    for key in columns["held-out, model"]:
        if not key.endswith("_interval"):
            measure = RECONSTRUCTION[key]
            cells = "".join(f"{_format_cell(column, key, measure.digits):>24}" for column in columns.values())
            lines.append(f"    {measure.title:<38}{cells}")
    if edge_hz:
        lines.append(f"    spectra are judged up to {edge_hz / 1000:.3g} kHz, where these sounds end")
    return lines


def _format_form(form: dict[str, Any]) -> list[str]:
    """A table of traits by kind of sound."""
    title = f"  form, of {form['longest_s']:.1f} s at most"
    lines = [f"{title}: {form['too_few']}"] if form["too_few"] else []
    kinds = [kind for kind in FORM_KINDS if form.get(kind)]
    if not kinds:
        return lines
    names = [FORM_KINDS[kind] for kind in kinds]
    lines.append(f"{title:<42}" + "".join(f"{name:>24}" for name in names))
    for key, trait in TRAITS.items():
        if any(key in form[kind] for kind in kinds):
            cells = [_format_cell(form[kind], key, trait.digits) if key in form[kind] else "–" for kind in kinds]
            lines.append(f"    {trait.term:<38}" + "".join(f"{cell:>24}" for cell in cells))
    if "distance" in form:
        named = {"generated": "distance", "held_out": "", "train": "distance_train", "rebuilt": "distance_rebuilt"}
        cells = [_show(form, named[kind]) if named[kind] in form else "" for kind in kinds]
        lines.append(f"    {'distance from held-out sounds, spreads':<38}" + "".join(f"{cell:>24}" for cell in cells))
    return lines


def _format_cell(column: dict[str, Any], key: str, digits: int) -> str:
    low, high = column[f"{key}_interval"]
    bounds = "" if low is None else f" ({low:.{digits}f}–{high:.{digits}f})"
    return f"{column[key]:.{digits}f}{bounds}"
