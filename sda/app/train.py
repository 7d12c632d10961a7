"""The training run, composed: build it, connect it, let it run, leave a record whatever happens."""

import signal
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from rich.console import Console

from sda.app.final_evaluation import describe_standing, evaluate_at_end
from sda.app.run_record import record_end, record_start
from sda.app.session import Session, build_session
from sda.app.time_plan import plan_time, start_clock
from sda.callbacks.checkpoint import CheckpointCallback
from sda.callbacks.console import ConsoleCallback
from sda.callbacks.preview import PreviewCallback
from sda.config.running import TrackingBackend
from sda.errors import DivergedError
from sda.parallel import use_threads
from sda.report.run_summary import Outcome, print_outcome, print_plan
from sda.runs.folder import lock_run, update_summary
from sda.runs.plan import Plan
from sda.runs.prepare_data import build_cache
from sda.runs.redelivery import describe_lack
from sda.runs.sync import close_stale_runs
from sda.runs.tracking_settings import describe_run
from sda.terminal import print_lines
from sda.tracking.delivery_state import link_to_run, read_state
from sda.tracking.folds import summarise_folds
from sda.tracking.journal import Journal
from sda.tracking.mlflow_callback import MlflowTracking
from sda.training.arithmetic import choose_threads
from sda.training.checkpoint import has_learned
from sda.training.config import get_effective_preview_interval
from sda.training.events import Evaluated, Event, MetricsCallback, PreviewDue, ReconstructionScored, RunEnded
from sda.training.interrupt import Requests
from sda.training.loop import train

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
    plan: Plan,
    console: Console,
    layers: str | None = None,
    is_orphaned: Callable[[], bool] = lambda: False,
    began: float | None = None,
) -> int:
    """Train as planned, or go on where the plan's checkpoint stands.

    Args:
        layers: the configuration before it was resolved, kept beside the resolved one.
        is_orphaned: whether the sweep that the run belongs to is gone, upon which it saves and stops.
        began: when the run began for who waits for it, by `time.monotonic`; now if not given.

    Returns:
        the exit code of the process.

    Raises:
        SdaError: the run cannot be built or cannot go on; what was learned up to then is on disk.
    """
    began = time.monotonic() if began is None else began
    with lock_run(plan.run_dir), use_threads(choose_threads(plan.checkpoint)), ExitStack() as stack:
        plan, budget = plan_time(plan, began)
        save_every_s, preview_after_s = (
            60 * plan.config.checkpoint.every_minutes,
            60 * plan.config.preview.first_minutes,
        )
        requests = stack.enter_context(Requests(console, save_every_s, preview_after_s, is_orphaned=is_orphaned))
        session = build_session(plan, budget)
        build_cache(plan.config).trim(keep={file.sha256 for file in plan.scan.usable})
        n_damaged = record_start(session, layers)
        print_plan(console, plan, session.describe(), session.change)
        if n_damaged:
            lines = f"! {n_damaged} damaged lines of the journal were made again from the checkpoint"
            print_lines(console, [lines])
        emit = Emitter()
        record = _connect(session, emit, requests, console, stack)
        status, reason, told, finished = "failed", "", list[Event](), False
        try:
            emit(session.describe())
            if budget is not None:
                start_clock(budget, plan, began)
            finished = _train(session, emit, requests)
            if finished:
                told = _evaluate(session, requests, console)
                for event in told:
                    emit(event)
            status = "finished" if finished else "stopped"
            if not finished and requests.signal_number == signal.SIGINT:
                _leave_preview(session, emit, console)
        except KeyboardInterrupt:
            status, reason = "stopped", "stopped at once" if finished else "stopped at once, without saving"
        except BaseException as error:
            reason = f"{type(error).__name__}: {error}"
            raise
        finally:
            outcome = _conclude(session, emit, record, stack, status=status, reason=reason, told=told, began=began)
            print_outcome(console, plan, outcome)
    return _choose_exit_code(outcome, reason, requests.signal_number)


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
    live = ConsoleCallback(console, plan.config.verbose, training.minutes)
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
            return train(session.setup, emit, requests)
        except DivergedError as error:
            emit(session.roll_back(error))


def _evaluate(session: Session, requests: Requests, console: Console) -> list[Event]:
    """Evaluate at the end; in a terminal, with a line that says what is being done."""
    print_lines(console, ["evaluating the best epoch; Ctrl-C ends it, and all that was learned is kept"])
    with console.status("evaluating") as status:
        return evaluate_at_end(session, lambda: requests.signal_number != 0, status.update)


def _leave_preview(session: Session, emit: Emitter, console: Console) -> None:
    """Let whoever stopped a run hear how far it came; all else is on disk, so that stopping this too loses nothing."""
    progress = session.state.progress
    if progress.step:
        print_lines(console, ["a preview of how far it came; Ctrl-C leaves it out"])
        with suppress(KeyboardInterrupt):
            emit(PreviewDue(progress.epoch, progress.step))


def _conclude(
    session: Session,
    emit: Emitter,
    record: Record,
    stack: ExitStack,
    *,
    status: str,
    reason: str,
    told: Sequence[Event],
    began: float,
) -> Outcome:
    """Leave a record of how a run ended, close what listened to it, and say what came out.

    Args:
        stack: closes the listeners.
        told: what the evaluation at the end told.
        began: when the run began, by `time.monotonic`.
    """
    plan, progress = session.plan, session.state.progress
    record.checkpoints.try_again(progress.epoch)
    if record.checkpoints.problem and status == "finished":
        status = "stopped"  # what was learned is gone with this process: it goes on from what is on disk
    scores = [event for event in told if isinstance(event, ReconstructionScored)]
    evaluated = next((event for event in told if isinstance(event, Evaluated)), None)
    unsaved = record_end(session, status, scores, evaluated)
    standing = describe_standing(session, progress.epoch, is_finished=status == "finished")
    emit(RunEnded(status, progress.epoch, progress.step, reason))
    stack.pop_all().close()
    unsaved = [*record.problems, *unsaved]
    problem, link = _close_tracking(record.tracking, plan.run_dir)
    return Outcome(
        status=status,
        history=session.state.history,
        scores=scores,
        standing=standing if has_learned(session.writer.folder) else None,
        evaluated=evaluated,
        tracking_link=link,
        tracking_problem=problem,
        tracking_notices=[] if record.tracking is None else record.tracking.notices,
        folds=None if plan.sweep_dir is None else summarise_folds(plan.sweep_dir),
        unsaved=unsaved,
        took_s=0.0 if plan.checkpoint is not None else time.monotonic() - began,
    )


def _choose_exit_code(outcome: Outcome, reason: str, signal_number: int) -> int:
    if reason:
        return EXIT_STOPPED_AT_ONCE
    if outcome.unsaved:
        return EXIT_UNSAVED
    return 0 if outcome.status == "finished" else EXIT_STOPPED + signal_number


def _build_tracking(plan: Plan) -> MlflowTracking | None:
    tracking = plan.config.tracking
    if tracking.backend is TrackingBackend.none:
        return None
    leftovers = [run_dir for run_dir in close_stale_runs() if run_dir != plan.run_dir]
    settings = describe_run(plan, datetime.now().astimezone())
    return MlflowTracking(plan.run_dir, settings, tracking.close_timeout_s, leftovers)


def _close_tracking(tracking: MlflowTracking | None, run_dir: Path) -> tuple[str, str]:
    """Let MLflow take what is left; says what went wrong, or nothing, and where the run is shown."""
    if tracking is None:
        return "", ""
    problem, link = describe_lack(tracking.close(), run_dir), link_to_run(run_dir)
    with suppress(OSError):  # a full disk was told of before
        update_summary(run_dir, mlflow_run_id=read_state(run_dir).run_id, mlflow_link=link)
    return problem, link
