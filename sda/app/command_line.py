"""The verbs on the command line. Nothing heavy is imported before a command is known to be sound."""

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from rich.console import Console

from sda.app.composition import check_swept_choices, keep_out_of_sounds
from sda.app.hydra_call import EXIT_ERROR, RunStart, SweepStart, call_hydra, report_errors
from sda.config.arguments import add_overrides, find_value, prepare_arguments, quote_value, split_names
from sda.errors import ConfigError, SdaError
from sda.printable import make_lines_printable
from sda.report.closed_pipe import PipedConsole, TrainingConsole
from sda.report.explanation import find_cause
from sda.report.unknown_key import refuse_added_keys
from sda.runs.claim import Claim, remove_unused
from sda.runs.folder import find_model, find_run
from sda.runs.objective import check_objective
from sda.seal import is_own
from sda.shell import name_verb, tell_started_processes

if TYPE_CHECKING:
    from sda.runs.plan import Plan

_BEGAN = time.monotonic()
"""When this process began, but for Python itself: a time that was given counts from here."""
_MULTIRUN = {"-m", "--multirun"}


def scan() -> None:
    """Entry point of `scan.py`, `sda scan` and `sda-scan`."""
    arguments = prepare_arguments(sys.argv[1:])

    def run() -> None:
        if _MULTIRUN & set(arguments):
            raise ConfigError(f"{name_verb('scan')} looks at one configuration at a time: leave out -m.")
        call_hydra("scan", _scan_task, arguments)

    report_errors("scan", run)


def train() -> None:
    """Entry point of `train.py`, `sda train` and `sda-train`."""
    arguments = prepare_arguments(sys.argv[1:])
    is_sweep = bool(_MULTIRUN & set(arguments)) or find_value(arguments, "hydra.mode") == RunMode.MULTIRUN.name

    def run() -> None:
        if is_sweep:
            _train_many(arguments)
            return
        trained = train_one(arguments, TrainingConsole(stderr=False), _BEGAN)
        if trained is not None and trained.exit_code:
            sys.exit(trained.exit_code)

    report_errors("train", run)


def evaluate() -> None:
    """Entry point of `evaluate.py`, `sda evaluate` and `sda-evaluate`."""
    report_errors("evaluate", lambda: call_hydra("evaluate", _evaluate_task, prepare_arguments(sys.argv[1:])))


def generate() -> None:
    """Entry point of `generate.py`, `sda generate` and `sda-generate`."""
    report_errors("generate", lambda: call_hydra("generate", _generate_task, prepare_arguments(sys.argv[1:])))


def compare() -> None:
    """Entry point of `compare.py`, `sda compare` and `sda-compare`."""
    report_errors("compare", lambda: call_hydra("compare", _compare_task, prepare_arguments(sys.argv[1:])))


def play() -> None:
    """Entry point of `play.py`, `sda play` and `sda-play`."""
    report_errors("play", lambda: call_hydra("play", _play_task, prepare_arguments(sys.argv[1:])))


def export() -> None:
    """Entry point of `export.py`, `sda export` and `sda-export`."""
    report_errors("export", lambda: call_hydra("export", _export_task, prepare_arguments(sys.argv[1:])))


class Trained(NamedTuple):
    """How a training ended."""

    run_dir: Path
    exit_code: int
    """See `sda.app.train.run_training`."""


def train_one(arguments: list[str], console: Console, began: float) -> Trained | None:
    """Train once, or go on with a run; its errors are Hydra's, OmegaConf's and ours, see `explain_error`.

    Args:
        arguments: as `prepare_arguments` makes them; more are put between them.
        began: when whoever waits for it began to wait, by `time.monotonic`.

    Returns:
        How it ended; nothing where a flag such as `--cfg` asked for something else.
    """
    resumed = find_value(arguments, "resume")
    if _asks_to_resume(arguments):
        raise ConfigError("sweep.resume=true goes with -m and the sweep's keys; a single run goes on with resume=.")
    if resumed not in (None, "null"):
        run_dir = find_run(resumed.strip("'").replace("\\'", "'") if resumed else "")
        if is_own(run_dir):  # it goes on in its own folder
            add_overrides(arguments, f"hydra.run.dir={quote_value(str(run_dir))}")
    # Hydra would write its record into a folder before anybody knows whose it is.
    add_overrides(arguments, "hydra.output_subdir=null")
    claim: Claim | None = None
    trained: Trained | None = None

    def begin(composed: DictConfig) -> None:
        nonlocal claim
        run_dir = Path(composed.hydra.run.dir).absolute()
        keep_out_of_sounds(composed, "hydra.run.dir", run_dir)
        claim = Claim(run_dir)

    def train_task(composed: DictConfig) -> None:
        nonlocal trained
        refuse_added_keys("train", composed)
        plan = _plan(composed, Path(HydraConfig.get().runtime.output_dir))
        from sda.app.train import run_training

        layers = OmegaConf.to_yaml(composed) if plan.checkpoint is None else None
        trained = Trained(plan.run_dir, run_training(plan, console, layers, began=began))

    RunStart.begin = begin
    try:
        call_hydra("train", train_task, arguments)
    finally:
        if claim is not None:
            claim.release()
    return trained


def _train_many(arguments: list[str]) -> None:
    """A sweep: its jobs, and at the end, whatever it is, what they came to."""
    from sda.app.sweep_end import Sweep
    from sda.app.sweep_job import share_threads
    from sda.runs.sweep_folder import find_sweep_to_resume

    given = list(arguments)
    if find_value(arguments, "resume") not in (None, "null"):
        raise ConfigError(
            "resume cannot be swept over (-m): continue one run at a time, or all of a sweep with sweep.resume=true."
        )
    if _asks_to_resume(arguments) and find_value(arguments, "hydra.sweep.dir") is None:
        folder = find_sweep_to_resume(given)
        print(f"going on with the sweep in {make_lines_printable(str(folder))}", flush=True)
        add_overrides(arguments, f"hydra.sweep.dir={quote_value(str(folder))}")
    # A job's folder may hold a run that is found or continued, whose record of what was composed stays as it is.
    add_overrides(arguments, "hydra.output_subdir=null")
    sweep: Sweep | None = None

    def begin(composed: DictConfig) -> None:
        nonlocal sweep
        check_swept_choices(composed)
        sweep_dir = Path(composed.hydra.sweep.dir).absolute()
        keep_out_of_sounds(composed, "hydra.sweep.dir", sweep_dir)
        sweep = Sweep.begin(sweep_dir, given, composed.sweep.objective)
        shared = share_threads(composed.hydra.runtime.choices["hydra/launcher"], composed.hydra.launcher)
        if shared:
            print(shared, flush=True)

    SweepStart.begin = begin
    tell_started_processes()
    n_failed = 0
    try:
        call_hydra("train", _train_as_job, arguments)
    finally:
        if sweep is not None:
            n_failed = sweep.end(PipedConsole())
    if n_failed:
        sys.exit(EXIT_ERROR)


def _asks_to_resume(arguments: list[str]) -> bool:
    return (find_value(arguments, "sweep.resume") or "").lower() == "true"


def _scan_task(composed: DictConfig) -> None:
    refuse_added_keys("scan", composed)
    from sda.app.scan import scan_for_training

    scan_for_training(composed, _list_given(), HydraConfig.get().runtime.choices["preset"], PipedConsole())


def _train_as_job(composed: DictConfig) -> float | None:
    """One training of a sweep, which gives back what a search makes small."""
    from sda.app.sweep_job import Job, run_job
    from sda.runs.plan import plan_run

    settings = HydraConfig.get()
    run_dir, sweep_dir = Path(settings.runtime.output_dir), Path(settings.sweep.dir).absolute()
    launcher = str(settings.runtime.choices["hydra/launcher"])
    job = Job(int(settings.job.num), run_dir, sweep_dir, _list_given(), launcher)

    def plan(composed: DictConfig, run_dir: Path) -> "Plan":
        try:
            refuse_added_keys("train", composed)
            check_objective(composed.sweep.objective, composed.evaluation.at_end)
            return plan_run(composed, run_dir, job.overrides, settings.runtime.choices["preset"], sweep_dir)
        except SdaError as error:
            raise type(error)(find_cause(error)) from None  # words that survive the way from another process

    try:
        objective, exit_code = run_job(job, composed, plan)
    finally:
        remove_unused(run_dir)
    if exit_code:
        sys.exit(exit_code)
    return objective


def _plan(composed: DictConfig, run_dir: Path) -> "Plan":
    from sda.runs.plan import list_keys, plan_run
    from sda.runs.resume import plan_resume

    given = _list_given()
    if composed.resume is not None:
        overrides = {key: OmegaConf.select(composed, key) for key in list_keys(given) if key != "resume"}
        return plan_resume(composed.resume, overrides, composed, run_dir)
    check_objective(composed.sweep.objective, composed.evaluation.at_end)
    return plan_run(composed, run_dir, given, HydraConfig.get().runtime.choices["preset"], None)


def _list_given() -> list[str]:
    """What was given on the command line, such as `preset=conservative`."""
    return [str(override) for override in HydraConfig.get().overrides.task]


def _evaluate_task(config: DictConfig) -> None:
    settings = _to_object("evaluate", config)
    names = split_names(settings.run)
    folders = {key: getattr(settings, key) for key in ("reference", "generated")}
    if bool(names) == any(folders.values()) or (not names and not all(folders.values())):
        raise ConfigError(
            "give either run=…, such as run=last, or two folders: reference=FOLDER (real sound) and generated=FOLDER."
        )
    for name in names:
        find_model(name)  # before torch is imported, which takes seconds
    from sda.app.evaluate import evaluate_folders, evaluate_runs

    if names:
        evaluate_runs(names, settings, PipedConsole())
    else:
        evaluate_folders(settings, PipedConsole())


def _generate_task(config: DictConfig) -> None:
    settings = _to_object("generate", config)
    find_model(settings.run)
    from sda.app.generate import generate_from_run

    generate_from_run(settings, PipedConsole())


def _compare_task(config: DictConfig) -> None:
    settings = _to_object("compare", config)
    names = split_names(settings.runs)
    if bool(names) == bool(settings.sweep):
        raise ConfigError("give either runs=…, such as runs=last,runs/…/other, or sweep=…, such as sweep=last.")
    check_objective(settings.objective, at_end="small", key="objective")
    from sda.app.compare import compare_given

    compare_given(names, settings, PipedConsole())


def _play_task(config: DictConfig) -> None:
    settings = _to_object("play", config)
    find_model(settings.run)
    from sda.app.play import serve_page

    serve_page(settings, PipedConsole())


def _export_task(config: DictConfig) -> None:
    settings = _to_object("export", config)
    find_model(settings.run)
    from sda.app.export import export_run

    export_run(settings, PipedConsole())


def _to_object(verb: str, config: DictConfig) -> Any:
    refuse_added_keys(verb, config)
    missing = OmegaConf.missing_keys(config)
    if missing:
        raise ConfigError(f"{', '.join(sorted(missing))} is not set. Give the run: run=last, or its folder.")
    return OmegaConf.to_object(config)
