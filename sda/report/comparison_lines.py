"""A comparison in words: lines for the terminal, Markdown for notes, CSV for tables."""

import csv
import io
import math
from collections.abc import Sequence

from sda.evaluation.ranking import Difference, Standing
from sda.measures import Measure, describe
from sda.printable import make_printable
from sda.runs.comparison import COMPARED, ComparedRun, Comparison
from sda.wording import format_duration, format_share

MOST_DIFFERENCES = 8
HEAD_OF_SETTINGS = ("setting", "runs", "score (95 %)", "± over runs", "best in")
"""Titles of `tabulate_settings`."""
_BEGIN_FORMULAS = ("=", "+", "-", "@", "\N{FULLWIDTH EQUALS SIGN}", "\N{FULLWIDTH PLUS SIGN}")
"""Signs by which spreadsheets, some only with Asian settings, know a formula."""


def format_comparison(comparison: Comparison) -> list[str]:
    """Both tables, and how sure it is which setting is best."""
    lines = [comparison.title, f"{'! ' if comparison.refusal else '  '}{comparison.ranked_words}"]
    if comparison.ranking is not None:
        lines += ["", *_align([HEAD_OF_SETTINGS, *tabulate_settings(comparison)])]
        lines += ["", *describe_ranking(comparison)]
    lines += ["", *_align([head_runs(comparison), *tabulate_runs(comparison)])]
    return [*lines, *(f"! {note}" for note in comparison.notes)]


def tabulate_settings(comparison: Comparison) -> list[list[str]]:
    """A row for each setting, best first."""
    assert comparison.ranking is not None
    return [_describe_standing(standing, comparison) for standing in comparison.ranking.standings]


def head_runs(comparison: Comparison) -> list[str]:
    """Titles of `tabulate_runs`."""
    columns = [measure.title for measure in _list_measures(comparison).values()]
    return ["run", "setting", "repetition", *columns, "evaluation", "best epoch", "time", "status"]


def tabulate_runs(comparison: Comparison) -> list[list[str]]:
    """A row for each run in their order."""
    return [_describe_run(run, comparison) for run in comparison.runs]


def describe_ranking(comparison: Comparison) -> list[str]:
    """How much better the best setting is than each of the others, and how sure that is, a sentence each."""
    assert comparison.ranking is not None
    ranking = comparison.ranking
    if not ranking.differences:
        return [f"one setting: {ranking.standings[0].setting}"]
    best = ranking.standings[0]
    chance = format_share(best.chance_best)
    lines = [f"lowest: {best.setting}; it is the lowest in {chance} of draws of other seeds and files"]
    shown = ranking.differences[:MOST_DIFFERENCES]
    lines += [describe_difference(difference, comparison) for difference in shown]
    if len(ranking.differences) > len(shown):
        lines.append(f"and {len(ranking.differences) - len(shown)} more")
    return lines


def describe_difference(difference: Difference, comparison: Comparison) -> str:
    """Such as "preset=balanced is better than preset=conservative by 0.12 (0.07 to 0.17) on 3 seeds and 15 files"."""
    measure, gain = comparison.measure, difference.gain
    amount = _write(gain.value, measure)
    on = f"on {_count(difference.n_repetitions, 'repetition')} and {_count(difference.n_files, 'held-out file')}"
    if difference.n_repetitions == 0:
        on = "on different held-out files"
    if math.isnan(gain.low):
        return f"{difference.better} is lower than {difference.other} by {amount} {on}: too little to tell"
    amount += f" ({_write(gain.low, measure)} to {_write(gain.high, measure)})"
    if not difference.is_clear:
        return f"{difference.better} or {difference.other}: cannot tell; {amount} {on}"
    return f"{difference.better} is better than {difference.other} by {amount} {on}"


def write_csv(comparison: Comparison) -> str:
    """A row for each run with its axes in columns of their own; figures are not rounded.

    Text that a spreadsheet would take for a formula begins with an apostrophe.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    repetitions = list(dict.fromkeys(key for run in comparison.runs for key in run.repetition))
    columns = list(_list_measures(comparison))
    facts = ["evaluation", "best_epoch", "elapsed_s", "status", "run"]
    writer.writerow([_guard(cell) for cell in (*comparison.axes, *repetitions, *columns, *facts)])
    for run in comparison.runs:
        row: list[object] = [run.setting[key] for key in comparison.axes]
        row += [run.repetition.get(key, "") for key in repetitions]
        row += ["" if math.isnan(run.figures[name]) else run.figures[name] for name in columns]
        row += [run.label, run.best_epoch or "", round(run.elapsed_s, 1), run.status, run.name]
        writer.writerow([_guard(cell) for cell in row])
    return text.getvalue()


def write_note(comparison: Comparison) -> str:
    """The comparison as Markdown, for MLflow's description of a sweep."""
    words = comparison.ranked_words
    lines = [f"{words[:1].upper()}{words[1:]}.", ""]
    if comparison.ranking is not None:
        lines += _draw_markdown(HEAD_OF_SETTINGS, tabulate_settings(comparison))
        lines += ["", *(f"- {line}" for line in describe_ranking(comparison))]
    return "\n".join([*lines, *(f"- {note}" for note in comparison.notes)])


def _list_measures(comparison: Comparison) -> dict[str, Measure]:
    """The objective first, then the figures that any of the runs has."""
    return {
        name: describe(name)
        for name in dict.fromkeys((comparison.objective, *COMPARED))
        if name == comparison.objective or any(not math.isnan(run.figures[name]) for run in comparison.runs)
    }


def _describe_standing(standing: Standing, comparison: Comparison) -> list[str]:
    measure = comparison.measure
    score = _write(standing.score.value, measure)
    if not math.isnan(standing.score.low):
        score += f" ({_write(standing.score.low, measure)} to {_write(standing.score.high, measure)})"
    spread, chance = _write(standing.spread, measure), format_share(standing.chance_best)
    return [standing.setting, str(standing.n_repetitions), score, spread, chance]


def _describe_run(run: ComparedRun, comparison: Comparison) -> list[str]:
    figures = [_write(run.figures[name], measure) for name, measure in _list_measures(comparison).items()]
    epoch, lasted = str(run.best_epoch or ""), format_duration(run.elapsed_s)
    return [run.name, run.setting_words, run.repetition_words, *figures, run.label, epoch, lasted, run.status]


def _guard(cell: object) -> object:
    r"""A cell as it is safe in a table: a program that opens it must find neither control signs nor formulas in text.

    >>> _guard("=1+1"), _guard("-0.5"), _guard("a\x1b"), _guard(-0.5)
    ("'=1+1", '-0.5', 'a\\x1b', -0.5)
    """
    if not isinstance(cell, str):
        return cell
    text = make_printable(cell)
    return f"'{text}" if text.lstrip().startswith(_BEGIN_FORMULAS) and not _is_number(text) else text


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _write(value: float, measure: Measure) -> str:
    return "" if math.isnan(value) else measure.write(value)


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _align(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows as lines, columns below each other."""
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    return ["  " + "  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip() for row in rows]


def _draw_markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(head), *rows)]
