"""A model's card: what it learned from, what was measured, what it is good for, in Markdown and as a page.

Both say the same: sections of paragraphs, items, tables and commands, written once.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, TypedDict

from sda import __version__
from sda.bootstrap import Estimate
from sda.durable import write_text
from sda.export.description import Description
from sda.export.formats import Format
from sda.generation.synthesizer import Synthesizer
from sda.measures import AT_END, RECONSTRUCTION
from sda.printable import make_printable
from sda.report.control_words import list_control_rows
from sda.report.evaluation_values import flatten_figures
from sda.report.page import render_page
from sda.report.verdict_lines import format_figures
from sda.shell import name_command
from sda.stored import read_stored
from sda.wording import format_duration

CARD, PAGE = "model_card.md", "model_card.html"
_HELD_OUT = "reconstruction.held_out.model"
"""Where figures stand of what becomes of sound that the model never heard."""
_TOLD = re.compile(
    r"(?:memorisation\.(?:replay|collage)_rate|distribution\.\w+\.ratio(?:_rebuilt)?|form\.distance(?:_train)?"
    rf"|silence\.\w+\.(?:near_silent_files|silent_frames)|{re.escape(_HELD_OUT)}\.(?:{'|'.join(AT_END)}))(?:_low|_high)?"
)
"""Keys of the figures that a card tells, and of the ends of their intervals."""
_NOT_EVALUATED = (
    "It was not evaluated: nothing is known of how like its recordings its sounds are, or whether it repeats them."
)
_NO_LICENSE = "Nothing was said of what others may do with it: ask who made it."
_GOOD_FOR = {
    "learned": "New sounds that belong to its recordings without repeating them.",
    "overfit": "Variations on its own recordings. Other sound that is sent through it loses more than theirs does.",
    "replaying": "Collages of its own recordings: much of what it makes is theirs. Look at what each sound is made of.",
    "unlike": "Experiments: its new sounds are unlike the recordings that it learned from.",
    "underfit": "Experiments: it learned little of its recordings.",
}
"""What a model with a verdict is good for."""


@dataclass(frozen=True)
class Evaluated:
    """What an evaluation found; empty where there was none."""

    label: str = ""
    verdict: str = ""
    figures: Mapping[str, float] = field(default_factory=dict)


class Section(NamedTuple):
    """A part of the card."""

    title: str
    label: str = ""
    """What it comes to in a word or two."""
    paragraphs: Sequence[str] = ()
    points: Sequence[str] = ()
    """A list."""
    head: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()
    """A table, if there is one."""
    commands: Sequence[str] = ()


class _Verdict(TypedDict):
    label: str
    headline: str


class _Evaluation(TypedDict):
    epoch: int
    verdict: _Verdict


def read_verdict(path: Path, epoch: int) -> Evaluated:
    """What `evaluation.json` says of a state, as far as a card tells it; nothing where it is of another state.

    Raises:
        DamagedError: it cannot be read.
    """
    values: dict[str, Any] = dict(read_stored(path, _Evaluation))
    if values["epoch"] != epoch:
        return Evaluated()
    figures = {key: value for key, value in flatten_figures(values) if _TOLD.fullmatch(key)}
    verdict = values["verdict"]
    return Evaluated(make_printable(verdict["label"]), make_printable(verdict["headline"]), figures)


def write_card(
    folder: Path, description: Description, synthesizer: Synthesizer, form: Format, file_name: str
) -> list[Path]:
    """Write a model's card beside it, in Markdown and HTML.

    Args:
        form: the format that the model was written in.
        file_name: its main file.

    Raises:
        OSError: it cannot be written.
    """
    lead = f"A generative model of audio: {form.words}."
    sections = list_sections(description, synthesizer, form, file_name)
    page = render_page("model_card.html.j2", name=description.name, lead=lead, sections=sections)
    write_text(folder / CARD, format_markdown(description.name, lead, sections))
    write_text(folder / PAGE, page)
    return [folder / CARD, folder / PAGE]


def list_sections(description: Description, synthesizer: Synthesizer, form: Format, file_name: str) -> list[Section]:
    """The parts of the card, in their order; see `write_card`."""
    verbs = {verb: name_command(verb) for verb in ("generate", "play")}
    usage = [line.format(file=file_name, **verbs) for line in form.usage]
    return [
        Section("Verdict", description.label, [description.verdict or _NOT_EVALUATED]),
        Section("What it is good for, and what not", points=_list_limits(description, synthesizer)),
        _tell_sounds(description),
        _tell_figures(description),
        _tell_controls(description, synthesizer),
        Section(
            "Licence",
            paragraphs=[description.license or _NO_LICENSE],
        ),
        *([Section("How to use it", commands=usage)] if usage else []),
        _tell_model(description, synthesizer),
    ]


def format_markdown(name: str, lead: str, sections: Sequence[Section]) -> str:
    """The card as Markdown; names and texts of the user's are shown as they are, not taken for marks."""
    lines = [f"# {_escape(name)}", "", _escape(lead)]
    for section in sections:
        lines += ["", f"## {section.title}"]
        if section.label:
            lines += ["", f"**{_escape(section.label)}**"]
        for paragraph in section.paragraphs:
            lines += ["", _escape(paragraph)]
        if section.points:
            lines += ["", *(f"- {_escape(point)}" for point in section.points)]
        if section.rows:
            head, *rows = ([_escape(cell) for cell in row] for row in (section.head, *section.rows))
            lines += ["", *(f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(head), *rows))]
        if section.commands:
            lines += ["", "```", *section.commands, "```"]
    return "\n".join(lines) + "\n"


def _escape(text: str) -> str:
    return re.sub(r"([\\`*_\[\]<>|#])", r"\\\1", " ".join(text.split()))


def _list_limits(description: Description, synthesizer: Synthesizer) -> list[str]:
    rate_khz = synthesizer.features.sample_rate_hz / 1000
    points = [_GOOD_FOR[description.label]] if description.label in _GOOD_FOR else []
    points.append(f"Its sounds are mono, {rate_khz:g} kHz, with nothing above {rate_khz / 2:g} kHz.")
    memory_s = description.config.get("prior", {}).get("memory_s")
    if isinstance(memory_s, (int, float)):
        points.append(f"New sound fits what was over {memory_s:g} s: it has no longer structure of its own.")
    points.append("It takes no text: it knows its recordings and nothing else. It is not for real time.")
    if description.holds_sound:
        points.append(
            "It holds the sounds that it learned from as latents, from which they can be heard again: whoever has the "
            "file has them, compressed."
        )
    return points


def _tell_sounds(description: Description) -> Section:
    split, points = description.split, []
    n_files = len(description.files)
    sides = {side: len({path for path, *_ in split.get(side, [])}) for side in ("train", "val")}
    lengths = {
        side: f", {format_duration(description.durations_s[side])}" if side in description.durations_s else ""
        for side in sides
    }
    n_groups = len(set(description.groups.values()))
    points.append(f"{n_files} files" + (f" of {n_groups} recordings" if n_groups else ""))
    points.append(f"trained on: {sides['train']}{lengths['train']}")
    points.append(f"held out, to judge by: {sides['val']}{lengths['val']}")
    if split.get("weakness"):
        points.append(f"weak validation: {split['weakness']}")
    if description.has_names:
        points += list(description.files)
    else:
        points.append("They are not named: recordings are called by number wherever it says what a sound is made of.")
    if description.began_with_another:
        points.append(
            "It began with the weights of an earlier model, which learned from other sounds: these are not counted "
            "here, and were not searched for replays."
        )
    return Section("What it learned from", points=points)


def _tell_figures(description: Description) -> Section:
    title = "What was measured"
    if not description.figures:
        return Section(title, paragraphs=[_NOT_EVALUATED])
    points = [line.strip().removesuffix(";") for line in format_figures(description.figures)]
    for name in AT_END:
        key = f"{_HELD_OUT}.{name}"
        if key in description.figures:
            measure, figures = RECONSTRUCTION[name], description.figures
            ends = [figures.get(f"{key}_{end}", math.nan) for end in ("low", "high")]
            figure = Estimate(figures[key], *ends)
            points.append(f"unheard sound through the model, {measure.title}: {figure}; 0 is perfect")
    return Section(title, paragraphs=["Figures with their 95 % intervals."], points=points)


def _tell_controls(description: Description, synthesizer: Synthesizer) -> Section:
    title = "Controls"
    if synthesizer.n_loudness == 0:
        return Section(title, paragraphs=["It has none."])
    if description.controls is None:
        return Section(title, paragraphs=["They were not tried, so that none has a name."])
    rows = [
        (row.name, row.range, row.correlation, row.achieved, row.moves)
        for row in list_control_rows(description.controls)
    ]
    words = "Those with a name were heard to do what it says on sound that the model never heard; an axis was not."
    head = ("control", "range", "rank correlation", "does of what is asked", "moves along")
    return Section(title, paragraphs=[words], head=head, rows=rows)


def _tell_model(description: Description, synthesizer: Synthesizer) -> Section:
    n_parameters = sum(one.numel() for one in synthesizer.model.parameters())
    model = description.config.get("model", {})
    points = [
        f"network: {model.get('name', '?')}, {n_parameters / 1e6:.1f} million parameters, epoch {description.epoch}",
        f"new paths: {synthesizer.prior.name}",
        f"written by sda {__version__}",
    ]
    return Section("The model", points=points)
