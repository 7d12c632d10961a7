"""The real training loop with the real listeners, which halts after every step so that other things take turns."""

import time
from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import TypeVar

from hydra import compose, initialize_config_dir
from rich.console import Console

from experiments.bench.timing import synchronize
from experiments.bench.trial import Trial
from sda.app.hydra_call import CONFIG_DIR
from sda.app.session import Session, build_session
from sda.app.train import Emitter
from sda.callbacks.console import ConsoleCallback
from sda.config.arguments import quote_value
from sda.config.store import register_configs
from sda.runs.folder import flatten
from sda.runs.plan import Plan, plan_run
from sda.tracking.delivery import deliver
from sda.tracking.delivery_state import TrackingSettings
from sda.tracking.journal import Journal
from sda.tracking.mlflow_callback import MlflowTracking
from sda.training.events import Event, RunEnded, StepMetrics
from sda.training.loop import Request, train

Result = TypeVar("Result")
Steps = Generator[None, None, Result]
"""A measurement: each of its `yield`s is a step that the loop takes."""


@dataclass(frozen=True)
class Block:
    """Steps that were timed together; what happens between two epochs is left out."""

    seconds: float
    n_clips: int
    step_s: list[float]
    """Each step, from its batch to the last listener."""
    told_s: list[float]
    """What of each was spent in the listeners."""

    @property
    def clip_s(self) -> float:
        """Seconds a clip."""
        return self.seconds / self.n_clips


class LiveRun:
    """A run that steps when it is asked to."""

    def __init__(self, session: Session, emit: Emitter, tracking: MlflowTracking):
        self.session = session
        self._tracking = tracking
        self.listening = True
        """Whether listeners are told of steps."""
        self._emit = emit
        self._step_s: list[float] = []
        self._told_s: list[float] = []
        self._n_clips: list[int] = []
        self._between_epochs_s = 0.0
        self._resumed = time.perf_counter()

    def follow(self, measurement: Steps[Result]) -> Result:
        """Train for as long as a measurement asks for steps."""
        results = list[Result]()

        def ask() -> Request:
            if self._note_step():
                try:
                    next(measurement)
                except StopIteration as end:
                    results.append(end.value)
            self._resumed = time.perf_counter()
            return Request.STOP if results else Request.NOTHING

        train(self.session.setup, self._tell, ask)
        return results[0]

    def take(self, n_steps: int, at_least_s: float = 0.0, n_deliveries: int = 0) -> Steps[Block]:
        """Let the loop take at least so many steps for at least so long, and time them.

        Args:
            n_deliveries: steps are taken until as many more deliveries to MLflow have ended. From the end of one to the
                end of another, steps bear as much of them as they do in a long run.
        """
        synchronize(self.session.setup.device)
        first, before_s, started = len(self._step_s), self._between_epochs_s, time.perf_counter()
        last_delivery = self._tracking.n_deliveries + n_deliveries
        while (
            len(self._step_s) - first < n_steps
            or time.perf_counter() - started < at_least_s
            or self._tracking.n_deliveries < last_delivery
        ):
            yield
        synchronize(self.session.setup.device)
        seconds = time.perf_counter() - started - (self._between_epochs_s - before_s)
        return Block(seconds, sum(self._n_clips[first:]), self._step_s[first:], self._told_s[first:])

    def settle(self) -> None:
        """Deliver everything to MLflow, so that its thread keeps nobody else from working."""
        deliver(self.session.plan.run_dir)

    def _note_step(self) -> bool:
        """Write down what has just passed; false where it was no step but the end of an epoch."""
        passed_s = time.perf_counter() - self._resumed
        progress, loader = self.session.state.progress, self.session.setup.train_loader
        if progress.batch == 0:
            self._between_epochs_s += passed_s
            return False
        self._step_s.append(passed_s)
        n_left = len(loader.dataset) - (progress.batch - 1) * loader.batch_size
        self._n_clips.append(min(loader.batch_size, n_left))
        return True

    def _tell(self, event: Event) -> None:
        started = time.perf_counter()
        if self.listening or not isinstance(event, StepMetrics):
            self._emit(event)
        if isinstance(event, StepMetrics):
            self._told_s.append(time.perf_counter() - started)


@contextmanager
def start_run(trial: Trial, name: str) -> Iterator[LiveRun]:
    """A run on the trial's sounds with journal, MLflow and console listening, about to take its first step."""
    run_dir = trial.folder / "runs" / name
    run_dir.mkdir(parents=True)
    session = build_session(plan_training(trial, run_dir))
    with ExitStack() as stack:
        journal = Journal(run_dir)
        stack.callback(journal.close)
        tracking = _build_tracking(session.plan)
        live = ConsoleCallback(Console(file=StringIO()))
        stack.callback(live.close)
        emit = Emitter()
        emit.listeners = [journal, tracking, live]
        emit(session.describe())
        stack.callback(tracking.close)
        yield LiveRun(session, emit, tracking)
        emit(RunEnded("stopped", session.state.progress.epoch, session.state.progress.step))


def plan_training(trial: Trial, run_dir: Path, *more: str) -> Plan:
    """A run on the trial's sounds, as the command line would plan it with `more` overrides."""
    given = {
        "data.root": quote_value(str(trial.data)),
        "data.cache_dir": quote_value(str(trial.folder / "cache")),
        "tracking.uri": quote_value(f"sqlite:///{trial.folder / 'mlflow.db'}"),
        "training.device": str(trial.device),
        "training.max_epochs": "100000",  # it ends when the measurement does
    }
    overrides = [f"{key}={value}" for key, value in given.items()]
    register_configs("train")
    with initialize_config_dir(str(CONFIG_DIR), version_base="1.3"):
        composed = compose("train", overrides=[*overrides, *trial.overrides, *more])
    return plan_run(composed, run_dir, overrides, "auto", None)


def _build_tracking(plan: Plan) -> MlflowTracking:
    settings = TrackingSettings(
        uri=plan.config.tracking.uri,
        experiment="bench",
        run_name=plan.run_dir.name,
        tags={},
        params=flatten(plan.resolved),
        dataset={"name": "sounds", "digest": plan.scan.fingerprint[:32], "source": "{}", "profile": "{}"},
        artifacts=[],
    )
    return MlflowTracking(plan.run_dir, settings, plan.config.tracking.close_timeout_s)
