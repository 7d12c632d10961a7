"""`compare.py`: runs side by side, in the terminal and on a page."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console

from sda.app.comparison import Comparison, compare_runs, list_sweep_runs
from sda.app.comparison_figures import draw_pictures
from sda.app.comparison_lines import format_comparison, write_csv
from sda.app.comparison_page import draw_page
from sda.app.report import print_lines
from sda.app.runs import find_run
from sda.app.sweep import find_sweep
from sda.callbacks.console import format_duration
from sda.config.schema import CompareConfig
from sda.durable import write_text
from sda.seal import is_own

COMPARISONS_ROOT = "comparisons"
PAGE = "comparison.html"
TABLE = "comparison.csv"


@dataclass(frozen=True)
class Written:
    """Files that a comparison left."""

    page: Path
    table: Path
    pictures: list[Path]


def compare_given(names: Sequence[str], config: CompareConfig, console: Console) -> None:
    """Compare the runs of a sweep, or any runs.

    Raises:
        CheckpointError: there is no such run or sweep.
    """
    if config.sweep:
        sweep_dir = find_sweep(config.sweep)
        comparison = compare_sweep(sweep_dir, config.objective)
        folder = Path(config.output).absolute() if config.output else sweep_dir
        if not config.output and not is_own(sweep_dir):
            folder = _name_folder()
    else:
        run_dirs = list(dict.fromkeys(find_run(name) for name in names))
        comparison = compare_runs(run_dirs, config.objective, f"{len(run_dirs)} runs")
        folder = Path(config.output).absolute() if config.output else _name_folder()
    print_lines(console, format_comparison(comparison))
    written = write_comparison(folder, comparison)
    print_lines(console, ["", f"written: {written.page}", f"         {written.table}"])


def _name_folder() -> Path:
    """A folder of the user's own."""
    return Path(COMPARISONS_ROOT, time.strftime("%Y-%m-%d-%H-%M-%S")).absolute()


def compare_sweep(sweep_dir: Path, objective: str) -> Comparison:
    """Compare all runs of a sweep.

    Raises:
        CheckpointError: there is none.
    """
    run_dirs = list_sweep_runs(sweep_dir)
    comparison = compare_runs(run_dirs, objective, "")
    total = sum(run.elapsed_s for run in comparison.runs)
    amount = f"{len(run_dirs)} runs, {format_duration(total)} of training"
    return replace(comparison, title=f"sweep over {comparison.axes_words}: {amount}, in {sweep_dir}")


def write_comparison(folder: Path, comparison: Comparison) -> Written:
    """Write the page, the table and the pictures into a folder."""
    pictures = draw_pictures(comparison)
    write_text(folder / PAGE, draw_page(comparison, pictures))
    write_text(folder / TABLE, write_csv(comparison))
    paths = [folder / f"{picture.name}.png" for picture in pictures]
    for path, picture in zip(paths, pictures, strict=True):
        path.write_bytes(picture.png)  # drawn again whenever it is asked for
    return Written(folder / PAGE, folder / TABLE, paths)
