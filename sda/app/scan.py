"""`scan.py`: what is in a folder, or in several, and what training on it would be, before anything is trained."""

import time
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from omegaconf import DictConfig, OmegaConf
from rich.console import Console

from sda.config.plain import escape
from sda.config.schema import TrainRunConfig
from sda.data.cache import SoundCache
from sda.data.groups import Groups, group_files
from sda.data.scanned import Scan, count_passed_over
from sda.durable import write_text
from sda.errors import ConfigError, SdaError
from sda.report.file_table import list_copies, list_files, list_left_out, list_near
from sda.report.scan_page import draw_page
from sda.report.scan_report import FolderReport
from sda.report.scan_table import print_estimate, print_files
from sda.report.training_estimate import describe_time, estimate_training
from sda.roots import find_roots, join_roots, name_roots, split_roots
from sda.runs.folder import RUNS_ROOT
from sda.runs.outputs import absolute, name_free, refuse_among_sounds
from sda.runs.plan import Plan, foresee_run, to_schema
from sda.runs.prepare_data import build_cache, find_notices, scan_once
from sda.shell import name_command, name_verb
from sda.terminal import print_lines

SCANS = "scans"
"""Folder below which pages lie unless `output` says otherwise."""
LONGEST_STEM_BYTES = 180
"""Bytes of the folders' names that the page's name takes over, so that file systems allow it."""
PAGE_SUFFIXES = frozenset({".html", ".htm"})


def scan_for_training(composed: DictConfig, overrides: list[str], preset_choice: str, console: Console) -> None:
    """Look at folders, print what is in them, and write a page with pictures of every sound.

    What `train.py` would refuse is shown all the same; the refusal comes last.

    Args:
        composed: the composed configuration, its interpolations unresolved.
        overrides: what was given on the command line, such as `preset=conservative`.
        preset_choice: the option chosen in the group `preset`.

    Raises:
        ConfigError: a value is missing or out of range, the page would lie among the sounds, or is there already.
        DataError: there is nothing to show, or it cannot be trained on as asked.
    """
    _settle_paths(composed)
    scan, groups, plan, refusal = _survey(composed, overrides, preset_choice)
    config = to_schema(composed)
    words = ""
    try:
        if plan is not None and composed.estimate:
            plan, words = _estimate(plan, preset_choice)
    except SdaError as error:
        refusal = error
    report = _describe(config, scan, groups, plan, preset_choice)
    print_files(console, report)
    report = replace(report, time=words, refusal=str(refusal or ""))
    print_estimate(console, report)
    page = absolute(composed.output or _name_page(scan))
    with Console(stderr=True).status("drawing every sound"):
        write_text(page, draw_page(report, build_cache(config)))
    print_lines(console, [f"page: {page}"])
    if refusal is not None:
        raise refusal


def _settle_paths(composed: DictConfig) -> None:
    """Make paths absolute, and refuse a page that is no page, that is there already, or would lie among the sounds."""
    if OmegaConf.is_missing(composed.data, "root"):
        raise ConfigError(
            f"data.root is not set. Give the folder with your sounds: {name_command('scan')} data.root=~/sounds"
        )
    if composed.resume is not None:
        train, scan = name_verb("train"), name_verb("scan")
        raise ConfigError(f"resume={composed.resume} goes with {train}: {scan} looks at sounds before a run.")
    folders = find_roots(split_roots(composed.data.root))
    OmegaConf.update(composed, "data.root", escape(join_roots(folders)))
    if composed.data.cache_dir:
        OmegaConf.update(composed, "data.cache_dir", str(SoundCache(composed.data.cache_dir).folder))
    output = absolute(composed.output or f"{SCANS}/page.html")
    if composed.output and (output.suffix.lower() not in PAGE_SUFFIXES or output.is_dir()):
        raise ConfigError(f"output={composed.output} is no page: give a file name that ends in .html.")
    refuse_among_sounds(output, f"output={composed.output or output}", {"data.root": folders})
    if composed.output and output.exists():
        raise ConfigError(
            f"output={composed.output} is there already, and nothing is ever written over. "
            f"Give a new name, such as output={name_free(output)}."
        )


def _survey(
    composed: DictConfig, overrides: list[str], preset_choice: str
) -> tuple[Scan, Groups, Plan | None, SdaError | None]:
    """What the folder holds, and the run that `train.py` would make of it or why it would not."""
    try:
        plan = foresee_run(composed, Path(RUNS_ROOT).absolute(), overrides, preset_choice)
    except SdaError as refusal:
        config = to_schema(composed)
        data = config.data
        scan = scan_once(data.root, data.min_duration_s, data.silence_dbfs, data.cache_dir, config.audio.sample_rate_hz)
        return scan, group_files(scan, build_cache(config), data.group_by), None, refusal
    return plan.scan, plan.groups, plan, None


def _describe(
    config: TrainRunConfig, scan: Scan, groups: Groups, plan: Plan | None, preset_choice: str
) -> FolderReport:
    return FolderReport(
        folders=scan.folders,
        scanned_at=datetime.now().astimezone(),
        fingerprint=scan.fingerprint,
        entries=list_files(scan, groups, plan.split if plan is not None else None),
        left_out=list_left_out(scan),
        passed_over=count_passed_over(scan),
        copies=list_copies(scan),
        near=list_near(scan, groups),
        n_groups=len(groups.members),
        notices=plan.notices if plan is not None else find_notices(config, scan, groups),
        estimate=estimate_training(plan, preset_choice) if plan is not None else None,
    )


def _estimate(plan: Plan, preset_choice: str) -> tuple[Plan, str]:
    """How long training would take here, and, given a time, what fits into it; torch is imported only now."""
    with Console(stderr=True).status("taking a few training steps"):
        from sda.app.time_plan import measure_pace, plan_time

        device, step_s = measure_pace(plan.config)
        plan, _ = plan_time(plan, time.monotonic(), step_s)
        return plan, describe_time(estimate_training(plan, preset_choice), step_s, str(device))


def _name_page(scan: Scan) -> str:
    """By the content of the sounds: a page of the same sounds is drawn again."""
    stem = name_roots(scan.folders).encode()[:LONGEST_STEM_BYTES].decode(errors="ignore")
    return f"{SCANS}/{stem}-{scan.fingerprint[:8]}.html"
