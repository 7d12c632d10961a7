"""The report of `scan.py` in the terminal."""

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from sda.report.file_table import SIDES, Entry, format_cells
from sda.report.scan_report import FolderReport
from sda.report.training_estimate import describe_split, describe_steps
from sda.shell import name_verb
from sda.terminal import print_lines

MOST_ROWS = 40
"""With more files than this, only those with something to say are shown."""
MOST_NAMES = 5
PIPED_COLUMNS = 160
"""Width where the output is no terminal and need not fit one."""
WIDE_COLUMNS = 130
HEADINGS = {
    "length": "length\ns",
    "rate": "rate\nkHz",
    "channels": "ch",
    "encoding": "encoding",
    "peak": "peak\ndBFS",
    "level": "level\ndBFS",
    "clipped": "clipped\n%",
    "silence": "silence\n%",
    "bandwidth": "up to\nkHz",
    "offset": "DC",
}
WIDE_ONLY = frozenset({"rate", "channels", "encoding", "peak", "bandwidth"})
"""Columns that a narrow terminal does without."""


def print_files(console: Console, report: FolderReport) -> None:
    """The files, and what is to be known of them whatever is trained."""
    if not console.is_terminal:
        console.width = max(console.width, PIPED_COLUMNS)
    shown = choose_entries(report.entries)
    if shown:
        console.print(_tabulate(shown, is_wide=console.width >= WIDE_COLUMNS))
    lines = []
    if len(shown) < len(report.entries):
        lines.append(f"{len(shown)} of {len(report.entries)} files are shown, with something to say; the page has all")
    formats = "; ".join(report.formats)
    files = "1 usable file" if len(report.usable) == 1 else f"{len(report.usable)} usable files"
    lines.append(f"{files}, {report.duration}, in {report.place} ({formats})")
    if report.n_groups < len(report.usable):
        lines.append(f"  {report.n_groups} groups: files that share a recording or a name pattern stay on one side")
    if report.n_odd:
        lines.append(f"! worth a second look: {report.n_odd} of them, for the values in yellow")
    for left_out in report.left_out:
        remedy = f"; {left_out.remedy}" if left_out.remedy else ""
        lines.append(f"  left out: {_shorten(left_out.names)}: {left_out.reason}{remedy}")
    if report.passed_over:
        lines.append(f"  {report.passed_over}")
    lines += [f"  the same sound: {_shorten(names)}" for names in report.copies[:MOST_ROWS]]
    for pair in report.near[:MOST_ROWS]:
        facts = f"shifted by {pair.shift_s:+.2f} s, correlation {pair.correlation:.2f}"
        lines.append(f"  share a recording: {pair.name} and {pair.other} ({facts})")
    n_more = max(0, len(report.copies) - MOST_ROWS) + max(0, len(report.near) - MOST_ROWS)
    if n_more:
        lines.append(f"  {n_more} more duplicates, on the page")
    lines += [f"! {notice}" for notice in report.notices]
    print_lines(console, lines)


def print_estimate(console: Console, report: FolderReport) -> None:
    """What `train.py` would do with the files."""
    estimate = report.estimate
    if estimate is None:
        return
    lines = [f"{name_verb('train')} would", f"  take the preset {estimate.preset}, {estimate.preset_reason}"]
    for reason, values in estimate.chosen.items():
        lines.append(f"    {', '.join(f'{name} {value}' for name, value in values.items())} ({reason})")
    lines += [f"  {line}" for line in describe_split(estimate)]
    if estimate.weakness:
        lines.append(f"! weak validation: {estimate.weakness}")
    lines.append(f"  {describe_steps(estimate)}")
    if report.time:
        lines.append(f"  last {report.time}")
    print_lines(console, lines)


def choose_entries(entries: list[Entry]) -> list[Entry]:
    """All files where they are few, else those that are left out or odd, the first of them."""
    if len(entries) <= MOST_ROWS:
        return entries
    return [entry for entry in entries if entry.fault or entry.oddities][:MOST_ROWS]


def _tabulate(entries: list[Entry], *, is_wide: bool) -> Table:
    columns = [column for column in HEADINGS if is_wide or column not in WIDE_ONLY]
    table = Table(box=SIMPLE_HEAD, pad_edge=False, header_style="bold")
    table.add_column("file", overflow="fold", min_width=12)
    for column in columns:
        table.add_column(HEADINGS[column], justify="left" if column == "encoding" else "right", no_wrap=True)
    table.add_column("group", no_wrap=True)
    table.add_column("side", no_wrap=True)
    table.add_column("left out as", overflow="fold", min_width=10)
    for entry in entries:
        cells, odd = format_cells(entry.file.measured), entry.oddities
        values = [Text(cells[column], style="yellow" if column in odd else "") for column in columns]
        style = "dim" if entry.fault else ""
        table.add_row(
            Text(entry.name), *values, Text(entry.group), Text(SIDES[entry.side]), Text(entry.fault), style=style
        )
    return table


def _shorten(names: list[str]) -> str:
    """The first few names and how many there are beside them."""
    more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    return ", ".join(names[:MOST_NAMES]) + more
