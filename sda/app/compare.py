"""`compare.py`: runs side by side, in the terminal and on a page."""

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from sda.config.verbs import CompareConfig
from sda.report.comparison_lines import format_comparison
from sda.report.comparison_report import PAGE, write_comparison
from sda.runs.comparison import Comparison, compare_runs, list_sweep_runs
from sda.runs.folder import find_run, read_config
from sda.runs.outputs import absolute, check_folder, claim_given, claim_next, list_sound_folders, refuse_among_sounds
from sda.runs.sweep_folder import find_sweep
from sda.seal import SWEEP, is_own
from sda.terminal import print_lines
from sda.wording import format_duration

COMPARISONS_ROOT = "comparisons"


def compare_given(names: Sequence[str], config: CompareConfig, console: Console) -> None:
    """Compare the runs of a sweep, or any runs.

    In a sweep's own folder, the comparison that lies there is drawn again.

    Raises:
        CheckpointError: there is no such run or sweep.
        ConfigError: the folder is not empty, or lies among sounds.
    """
    sweep_dir = find_sweep(config.sweep) if config.sweep else None
    run_dirs = list_sweep_runs(sweep_dir) if sweep_dir else list(dict.fromkeys(find_run(name) for name in names))
    in_place = sweep_dir if sweep_dir is not None and is_own(sweep_dir, SWEEP) else None
    default = in_place or Path(COMPARISONS_ROOT).absolute() / time.strftime("%Y-%m-%d-%H-%M-%S")
    folders = [folder for run_dir in run_dirs for folder in list_sound_folders(_find_root(run_dir), [])]
    sounds = {"the sounds that the runs were trained on": folders}
    if config.output:
        check_folder(absolute(config.output), f"output={config.output}", sounds)
    else:
        refuse_among_sounds(default, str(default), sounds)
    if sweep_dir:
        comparison = compare_sweep(sweep_dir, config.objective)
    else:
        comparison = compare_runs(run_dirs, config.objective, f"{len(run_dirs)} runs")
    print_lines(console, format_comparison(comparison))
    folder = claim_given(absolute(config.output), PAGE) if config.output else in_place or claim_next(default, PAGE)
    written = write_comparison(folder, comparison)
    print_lines(console, ["", f"written: {written.page}", f"         {written.table}"])


def _find_root(run_dir: Path) -> str:
    """The folder of sounds that a run was given, or several; empty where its configuration is gone."""
    return str(read_config(run_dir).get("data", {}).get("root", ""))


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
