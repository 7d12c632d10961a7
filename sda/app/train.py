"""The training run, composed: build it, connect it, let it run, leave a record whatever happens."""

import hashlib
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from sda.app.final_evaluation import describe_standing, evaluate_at_end
from sda.app.interrupt import Requests
from sda.app.session import Session, build_session
from sda.app.sync import close_stale_runs
from sda.app.threads import choose_threads
from sda.callbacks.checkpoint import CheckpointCallback
from sda.callbacks.console import ConsoleCallback
from sda.callbacks.preview import PreviewCallback
from sda.config.plain import format_plain
from sda.config.running import TrackingBackend
from sda.durable import write_json, write_text
from sda.errors import DivergedError
from sda.report.run_summary import Outcome, describe_verdict, find_best, print_lines, print_outcome, print_plan
from sda.report.verdict_lines import say_verdict
from sda.runs.continuation import write_begun_facts
from sda.runs.folder import (
    CONFIG_FILE,
    HISTORY,
    IDENTITY,
    LAYERS_FILE,
    MANIFEST,
    OVERRIDES_FILE,
    flatten,
    lock_run,
    update_summary,
)
from sda.runs.plan import Plan
from sda.runs.prepare_data import build_cache, describe_data
from sda.runs.sweep_folder import identify, list_swept, name_setting, name_sweep, read_command
from sda.seal import mark_own
from sda.tracking.delivery import MlflowTracking
from sda.tracking.delivery_state import TrackingSettings, forget, link_to_run, read_state, rewind
from sda.tracking.folds import summarise_folds
from sda.tracking.journal import Journal
from sda.training.checkpoint import has_learned
from sda.training.config import get_effective_preview_interval
from sda.training.device import use_threads
from sda.training.metrics import Evaluated, Event, MetricsCallback, ReconstructionScored, RunEnded

EXIT_UNSAVED = 3
"""The run came to its end or was stopped, but the disk did not take all of it."""
EXIT_STOPPED_AT_ONCE = 4
"""A second signal stopped the run without saving; its last checkpoint is intact."""
EXIT_STOPPED = 128
"""Added to the signal's number when a run was stopped: 130 for Ctrl-C, 143 for SIGTERM."""


class Emitter:
    """Hands every event to the listeners in their order."""

    def __init__(self) -> None:
        self.listeners: list[MetricsCallback] = []

    def __call__(self, event: Event, /) -> None:
        for listener in self.listeners:
            listener(event)


def run_training(
    plan: Plan, console: Console, layers: str | None = None, is_orphaned: Callable[[], bool] = lambda: False
) -> int:
    """Train as planned, or go on where the plan's checkpoint stands.

    Args:
        layers: the configuration before it was resolved, kept beside the resolved one.
        is_orphaned: whether the sweep that the run belongs to is gone, upon which it saves and stops.

    Returns:
        the exit code of the process.

    Raises:
        SdaError: the run cannot be built or cannot go on; what was learned up to then is on disk.
    """
    with lock_run(plan.run_dir), use_threads(choose_threads(plan.checkpoint)), ExitStack() as stack:
        save_every_s = 60 * plan.config.checkpoint.every_minutes
        requests = stack.enter_context(Requests(console, save_every_s, is_orphaned=is_orphaned))
        session = build_session(plan)
        build_cache(plan.config).trim(keep={file.sha256 for file in plan.scan.usable})
        n_damaged = _record_start(session, layers)
        print_plan(console, plan, session.describe(), session.change)
        if n_damaged:
            lines = f"! {n_damaged} damaged lines of the journal were made again from the checkpoint"
            print_lines(console, [lines])
        emit = Emitter()
        record = _connect(session, emit, requests, console, stack)
        status, reason, told = "failed", "", list[Event]()
        try:
            emit(session.describe())
            finished = _train(session, emit, requests)
            if finished:
                print_lines(console, ["evaluating the best epoch"])
                told = evaluate_at_end(session, lambda: requests.signal_number != 0)
                for event in told:
                    emit(event)
            status = "finished" if finished else "stopped"
        except KeyboardInterrupt:
            status, reason = "stopped", "stopped at once, without saving"
        except BaseException as error:
            reason = f"{type(error).__name__}: {error}"
            raise
        finally:
            progress = session.state.progress
            record.checkpoints.try_again(progress.epoch)
            if record.checkpoints.problem and status == "finished":
                status = "stopped"  # what was learned is gone with this process: it goes on from what is on disk
            scores = [event for event in told if isinstance(event, ReconstructionScored)]
            evaluated = next((event for event in told if isinstance(event, Evaluated)), None)
            unsaved = _record_end(session, status, scores, evaluated)
            standing = describe_standing(session, progress.epoch, is_finished=status == "finished")
            emit(RunEnded(status, progress.epoch, progress.step, reason))
            stack.pop_all().close()
            unsaved = [*record.problems, *unsaved]
            problem, link = _close_tracking(record.tracking, plan.run_dir)
            notices = [] if record.tracking is None else record.tracking.notices
            folds = None if plan.sweep_dir is None else summarise_folds(plan.sweep_dir)
            is_kept = has_learned(session.writer.folder)
            outcome = Outcome(
                status,
                session.state.history,
                scores,
                standing if is_kept else None,
                evaluated,
                link,
                problem,
                notices,
                folds,
                unsaved,
            )
            print_outcome(console, plan, outcome)
    return _choose_exit_code(status, reason, unsaved, requests.signal_number)


@dataclass(frozen=True)
class Record:
    """The listeners that leave something behind."""

    journal: Journal
    checkpoints: CheckpointCallback
    tracking: MlflowTracking | None

    @property
    def problems(self) -> list[str]:
        """What the disk did not take."""
        found = {"the journal": self.journal.problem, "the newest checkpoint": self.checkpoints.problem}
        return [f"{what} ({problem})" for what, problem in found.items() if problem]


def _connect(session: Session, emit: Emitter, requests: Requests, console: Console, stack: ExitStack) -> Record:
    """Build the listeners in the order in which they hear: record first, then show, then act, then save."""
    plan, training = session.plan, session.plan.config.training
    journal = Journal(plan.run_dir)
    stack.callback(journal.close)
    live = ConsoleCallback(console, plan.config.verbose)
    stack.callback(live.close)
    tracking = _build_tracking(plan)
    checkpoints = CheckpointCallback(session.save, session.writer.write_owed, training.checkpoint_interval, emit)
    renderer = session.build_preview_renderer()
    emit.listeners = [
        journal,
        *([tracking] if tracking is not None else []),
        live,
        requests.hear,
        PreviewCallback(
            renderer.render,
            [renderer.render_ceiling, renderer.render_augmentation],
            get_effective_preview_interval(training),
            plan.config.audio.sample_rate_hz,
            emit,
        ),
        checkpoints,  # last: whatever an event leads to is there when a run is continued from its checkpoint
    ]
    return Record(journal, checkpoints, tracking)


def _train(session: Session, emit: Emitter, requests: Requests) -> bool:
    """Run the loop; a run that diverges goes back to its last checkpoint, and on from there."""
    while True:
        try:
            return session.trainer.train(emit, requests)
        except DivergedError as error:
            emit(session.roll_back(error))


def _choose_exit_code(status: str, reason: str, unsaved: list[str], signal_number: int) -> int:
    if reason:
        return EXIT_STOPPED_AT_ONCE
    if unsaved:
        return EXIT_UNSAVED
    return 0 if status == "finished" else EXIT_STOPPED + signal_number


def _build_tracking(plan: Plan) -> MlflowTracking | None:
    tracking = plan.config.tracking
    if tracking.backend is TrackingBackend.none:
        return None
    tags = {f"chose.{choice.key}": f"{choice.value:g} ({choice.reason})" for choice in plan.choices}
    swept = {} if plan.sweep_dir is None else list_swept(plan.overrides, read_command(plan.sweep_dir))
    tags |= {f"swept.{key.replace('/', '.')}": value for key, value in swept.items()}
    tags |= {"preset": plan.config.preset.name, "model": plan.config.model.name.value}
    tags["validation"] = f"weak: {plan.split.weakness}" if plan.split.weakness else "whole groups of files held out"
    tags |= {f"quarantined.{n}": f"{file.path}: {file.reason}" for n, file in enumerate(plan.scan.quarantined[:50])}
    settings = TrackingSettings(
        uri=tracking.uri,
        experiment=tracking.experiment,
        run_name=plan.run_dir.name if plan.sweep_dir is None else name_setting(swept),
        tags=tags,
        params=flatten(plan.resolved),
        dataset={
            "name": Path(plan.scan.root).name,
            "digest": plan.scan.fingerprint[:32],
            "source": f'{{"uri": "{Path(plan.scan.root).as_uri()}"}}',
            "profile": f'{{"num_files": {plan.scan.file_count}, "num_chunks": {plan.config.data.n_chunks}}}',
        },
        artifacts=[CONFIG_FILE, MANIFEST],
        sweep_dir="" if plan.sweep_dir is None else str(plan.sweep_dir),
    )
    leftovers = [run_dir for run_dir in close_stale_runs() if run_dir != plan.run_dir]
    return MlflowTracking(plan.run_dir, settings, tracking.close_timeout_s, leftovers)


def _record_start(session: Session, layers: str | None) -> int:
    """Say on disk what runs; a continuation drops from the journal what it is about to tell again.

    With the summary, which comes last, the run can be continued, be nothing saved of it yet.

    Returns:
        how many lines of the journal were damaged.
    """
    plan, progress = session.plan, session.state.progress
    # First of all: a folder with anything in it that is not known as ours is taken for somebody else's.
    mark_own(plan.run_dir, **({} if plan.sweep_dir is None else {"sweep": name_sweep(plan.sweep_dir)}))
    configuration = format_plain(plan.resolved)
    write_text(plan.run_dir / CONFIG_FILE, configuration)
    mark_own(plan.run_dir, config_sha256=hashlib.sha256(configuration.encode()).hexdigest())
    if layers is not None:
        write_text(plan.run_dir / LAYERS_FILE, layers)
        write_text(plan.run_dir / OVERRIDES_FILE, format_plain(plan.overrides))
    write_json(plan.run_dir / MANIFEST, describe_data(plan.scan, plan.groups, plan.split))
    n_damaged = 0
    if plan.checkpoint is None or plan.checkpoint.is_start:
        write_begun_facts(plan.run_dir, session.list_facts())
    if plan.checkpoint is not None and plan.checkpoint.is_start:
        forget(plan.run_dir)
    elif plan.checkpoint is not None:
        n_damaged = rewind(plan.run_dir, progress.step, progress.epoch, session.state.history)
    if plan.is_takeover:
        n_damaged = 0  # there was no journal: all of it was made from the checkpoint
        session.take_over()
    update_summary(
        plan.run_dir,
        status="running",
        active_at=time.time(),
        choices=[str(choice) for choice in plan.choices],
        **{IDENTITY: identify(plan.resolved, plan.scan.fingerprint)},
        validation_weakness=plan.split.weakness,
    )
    return n_damaged


def _record_end(
    session: Session, status: str, scores: list[ReconstructionScored], evaluated: Evaluated | None
) -> list[str]:
    """Write history and summary, whatever the end; says what the disk did not take."""
    plan, history, progress = session.plan, session.state.history, session.state.progress
    values: dict[str, object] = {"status": status, "active_at": time.time()}
    values |= {"epochs": progress.epoch, "steps": progress.step}
    values |= {"elapsed_s": progress.elapsed_s, "skipped_steps": progress.skipped_steps}
    if history.epoch_metrics:
        last, best = history.epoch_metrics[-1], find_best(history)
        judged = best or last
        values |= {
            "best_epoch": best.epoch if best else None,
            "best_val_loss": best.val_loss if best else None,
            "final_train_loss": last.train_loss,
            "final_val_loss": last.val_loss,
            "overfitting_gap": judged.overfitting_gap,
            "gap_low": judged.gap_low,
            "gap_high": judged.gap_high,
            "gap_slope": last.gap_slope,
            "gap_slope_error": last.gap_slope_error,
            "active_units": judged.active_units,
            "verdict": describe_verdict(history, plan.split.weakness),
        }
    values["reconstruction"] = {score.source: score.measures | {"n_clips": score.n_clips} for score in scores}
    values["held_out_by_file"] = next((score.by_file for score in scores if score.source == "model"), {})
    if evaluated is not None:
        values["evaluation"] = {"label": evaluated.label, **evaluated.figures}
        values["verdict"] = say_verdict(evaluated, plan.split.weakness)
    try:
        write_json(plan.run_dir / HISTORY, history.to_dict())
        update_summary(plan.run_dir, **values)
    except OSError as error:
        return [f"history and summary ({error.strerror or error})"]
    return []


def _close_tracking(tracking: MlflowTracking | None, run_dir: Path) -> tuple[str, str]:
    """Let MLflow take what is left; says what went wrong, or nothing, and where the run is shown."""
    if tracking is None:
        return "", ""
    problem, link = tracking.close(), link_to_run(run_dir)
    with suppress(OSError):  # a full disk was told of before
        update_summary(run_dir, mlflow_run_id=read_state(run_dir).run_id, mlflow_link=link)
    return problem, link
