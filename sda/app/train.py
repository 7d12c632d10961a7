"""The training run, composed: build it, connect it, let it run, leave a record whatever happens."""

import time
from contextlib import ExitStack
from pathlib import Path

from omegaconf import OmegaConf
from rich.console import Console

from sda.app.interrupt import StopRequest
from sda.app.plan import Plan
from sda.app.report import Outcome, describe_verdict, find_best, print_outcome, print_plan
from sda.app.runs import HISTORY, MANIFEST, lock_run, update_summary
from sda.app.session import Session, build_session
from sda.app.survey import build_cache, describe_data
from sda.app.sync import close_stale_runs
from sda.callbacks.backlog import TrackingSettings, link_to_run, read_state, rewind
from sda.callbacks.checkpoint import CheckpointCallback
from sda.callbacks.console import ConsoleCallback
from sda.callbacks.folds import summarise_folds
from sda.callbacks.journal import Journal
from sda.callbacks.preview import PreviewCallback
from sda.callbacks.tracking import MlflowTracking
from sda.config.schema import TrackingBackend
from sda.durable import write_json, write_text
from sda.training.config import get_effective_preview_interval
from sda.training.loop import train
from sda.training.metrics import CheckpointSaved, Event, MetricsCallback, ReconstructionScored, RunEnded

CONFIG_FILE = ".hydra/config.yaml"
LAYERS_FILE = ".hydra/layers.yaml"
EXIT_STOPPED = 128
"""Added to the signal's number when a run was stopped: 130 for Ctrl-C, 143 for SIGTERM."""


class Emitter:
    """Hands every event to the listeners in their order."""

    def __init__(self) -> None:
        self.listeners: list[MetricsCallback] = []

    def __call__(self, event: Event, /) -> None:
        for listener in self.listeners:
            listener(event)


def run_training(plan: Plan, console: Console, layers: str | None = None) -> tuple[float, int]:
    """Train as planned, or go on where the plan's checkpoint stands.

    Args:
        layers: the configuration before it was resolved, kept beside the resolved one.

    Returns:
        the best held-out loss (what a sweep compares) and the exit code of the process.

    Raises:
        SdaError: the run cannot be built or cannot go on; what was learned up to then is on disk.
    """
    with lock_run(plan.run_dir), ExitStack() as stack:
        stop = stack.enter_context(StopRequest(console))
        session = build_session(plan)
        build_cache(plan.config).trim(keep={file.sha256 for file in plan.scan.usable})
        _record_start(session, layers)
        print_plan(console, plan, session.describe())
        emit = Emitter()
        tracking = _connect(session, emit, console, stack)
        status, reason, scores = "failed", "", list[ReconstructionScored]()
        try:
            emit(session.describe())
            finished = _train(session, emit, stop)
            if finished:
                scores = session.score_best()
                for score in scores:
                    emit(score)
            status = "finished" if finished else "stopped"
        except KeyboardInterrupt:
            status, reason = "stopped", "stopped at once, without saving"
            raise
        except BaseException as error:
            reason = f"{type(error).__name__}: {error}"
            raise
        finally:
            _record_end(session, status, scores)
            progress = session.state.progress
            emit(RunEnded(status, progress.epoch, progress.step, reason))
            stack.pop_all().close()
            problem = _close_tracking(tracking, plan.run_dir)
            link = link_to_run(plan.run_dir) if tracking is not None else ""
            folds = None if plan.sweep_dir is None else summarise_folds(plan.sweep_dir)
            print_outcome(console, plan, Outcome(status, session.state.history, scores, link, problem, folds))
    best = session.state.progress.best_val_loss
    return (float("nan") if best is None else best), (0 if finished else EXIT_STOPPED + stop.signal_number)


def _connect(session: Session, emit: Emitter, console: Console, stack: ExitStack) -> MlflowTracking | None:
    """Build the listeners in the order in which they hear: record first, then show, then act."""
    plan, training = session.plan, session.plan.config.training
    journal = Journal(plan.run_dir)
    stack.callback(journal.close)
    live = ConsoleCallback(console, plan.config.verbose)
    stack.callback(live.close)
    tracking = _build_tracking(plan)
    renderer = session.build_preview_renderer()
    emit.listeners = [
        journal,
        *([tracking] if tracking is not None else []),
        live,
        CheckpointCallback(session.save, training.checkpoint_interval, emit),
        PreviewCallback(
            renderer.render,
            [renderer.render_ceiling, renderer.render_augmentation],
            get_effective_preview_interval(training),
            plan.config.audio.sample_rate_hz,
            emit,
        ),
    ]
    return tracking


def _train(session: Session, emit: Emitter, stop: StopRequest) -> bool:
    """Run the loop; a run that was asked to stop is saved where it stands."""
    finished = train(
        session.state,
        features=session.features,
        mask=session.mask,
        objective=session.objective,
        train_loader=session.train_loader,
        probe=session.fixed.probe,
        held_out=session.fixed.held_out,
        config=session.plan.config.training,
        device=session.device,
        autocast=session.autocast,
        block_steps=session.block_steps,
        emit=emit,
        should_stop=lambda: stop.requested,
    )
    if not finished:
        emit(CheckpointSaved(session.state.progress.epoch, str(session.save(best=False))))
    return finished


def _build_tracking(plan: Plan) -> MlflowTracking | None:
    tracking = plan.config.tracking
    if tracking.backend is TrackingBackend.none:
        return None
    tags = {f"chose.{choice.key}": f"{choice.value:g} ({choice.reason})" for choice in plan.choices}
    tags |= {"preset": plan.config.preset.name, "model": plan.config.model.name.value}
    tags["validation"] = f"weak: {plan.split.weakness}" if plan.split.weakness else "whole groups of files held out"
    tags |= {f"quarantined.{n}": f"{file.path}: {file.reason}" for n, file in enumerate(plan.scan.quarantined[:50])}
    settings = TrackingSettings(
        uri=tracking.uri,
        experiment=tracking.experiment,
        run_name=plan.run_dir.name if plan.sweep_dir is None else f"{plan.sweep_dir.name}/{plan.run_dir.name}",
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


def flatten(values: dict[str, object], prefix: str = "") -> dict[str, str]:
    """Nested values by their full key, as text.

    >>> flatten({"training": {"max_epochs": 3}, "seed": 0})
    {'training.max_epochs': '3', 'seed': '0'}
    """
    flat: dict[str, str] = {}
    for key, value in values.items():
        if isinstance(value, dict):
            flat |= flatten(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = str(value)
    return flat


def _record_start(session: Session, layers: str | None) -> None:
    """Say on disk what runs; a continuation drops from the journal what it is about to tell again."""
    plan, progress = session.plan, session.state.progress
    write_text(plan.run_dir / CONFIG_FILE, OmegaConf.to_yaml(OmegaConf.create(plan.resolved)))
    if layers is not None:
        write_text(plan.run_dir / LAYERS_FILE, layers)
    write_json(plan.run_dir / MANIFEST, describe_data(plan.scan, plan.groups, plan.split))
    if plan.checkpoint is not None:
        rewind(plan.run_dir, progress.step, progress.epoch)
    update_summary(
        plan.run_dir,
        status="running",
        active_at=time.time(),
        choices=[str(choice) for choice in plan.choices],
        validation_weakness=plan.split.weakness,
    )


def _record_end(session: Session, status: str, scores: list[ReconstructionScored]) -> None:
    """Write history and summary, whatever the end."""
    plan, history, progress = session.plan, session.state.history, session.state.progress
    write_json(plan.run_dir / HISTORY, history.to_dict())
    values: dict[str, object] = {"status": status, "active_at": time.time()}
    values |= {"epochs": progress.epoch, "steps": progress.step}
    values |= {"elapsed_s": progress.elapsed_s, "skipped_steps": progress.skipped_steps}
    if history.epochs:
        last, best = history.epochs[-1], find_best(history)
        judged = best or last
        values |= {
            "best_epoch": best.epoch if best else None,
            "best_val_loss": best.val_loss if best else None,
            "final_train_loss": last.train_loss,
            "final_val_loss": last.val_loss,
            "overfitting_gap": judged.overfitting_gap,
            "active_units": judged.active_units,
            "verdict": describe_verdict(history, plan.split.weakness),
        }
    names = ("log_mel_l1_db", "mr_stft", "loudness_error_db", "n_clips")
    values["reconstruction"] = {score.source: {name: getattr(score, name) for name in names} for score in scores}
    update_summary(plan.run_dir, **values)


def _close_tracking(tracking: MlflowTracking | None, run_dir: Path) -> str:
    """Let MLflow take what is left; says what went wrong, or nothing."""
    if tracking is None:
        return ""
    problem = tracking.close()
    update_summary(run_dir, mlflow_run_id=read_state(run_dir).run_id, mlflow_link=link_to_run(run_dir))
    return problem
