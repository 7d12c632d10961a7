"""What a person sees while a run goes on: a live line in a terminal, plain lines elsewhere."""

import math
import sys
import time
from collections.abc import Callable
from pathlib import Path

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from sda.terminal import print_lines
from sda.training.events import (
    CheckpointSaved,
    EpochMetrics,
    Event,
    PreviewEvent,
    RolledBack,
    RunStarted,
    SecondPhaseStarted,
    StepMetrics,
    TrainingCompleteEvent,
    Warned,
)
from sda.wording import format_duration, format_share, suggest_time

if sys.platform != "win32":
    import resource

REFRESH_PER_S = 4
PLAIN_STEP_INTERVAL_S = 30.0
"""Without a terminal, an epoch that takes long says where it is this often."""
UNTIMED_STEPS, TIMED_STEPS = 2, 8
"""Steps that find memory and choose kernels, and steps after them whose pace is told."""
BAR_WIDTH = 20
WITHOUT_MODEL = ("ceiling", "augmentation")
"""Kinds of preview that tell nothing of what was learned."""


class ConsoleCallback:
    """Prints a line an epoch, warnings as they come, and in a terminal a live line below them.

    In a terminal no line is longer than that is wide, but for paths and commands.

    Args:
        console: where to print; its `is_terminal` decides between live and plain.
        verbose: also print every checkpoint and preview.
        minutes: time that the run was given, 0 where it was given none.
        clock: tells the time in seconds.
    """

    def __init__(
        self,
        console: Console,
        verbose: bool = False,
        minutes: float = 0.0,
        clock: Callable[[], float] = time.monotonic,
    ):
        self._console = console
        self._verbose = verbose
        self._minutes = minutes
        self._clock = clock
        self._live = Live(console=console, refresh_per_second=REFRESH_PER_S) if console.is_terminal else None
        self._started: RunStarted | None = None
        self._held_out = "held-out"
        self._preview = ""
        self._n_steps = 0
        self._timed_from = (0, 0.0)
        self._printed_at = clock()

    def __call__(self, event: Event) -> None:
        if isinstance(event, RunStarted):
            self._started = event
            self._held_out = "held-out (weak)" if event.validation_weakness else "held-out"
            if self._live is not None:
                self._live.start()
        elif isinstance(event, StepMetrics):
            self._show_step(event)
        elif isinstance(event, EpochMetrics):
            self._print(self._describe_epoch(event))
        elif isinstance(event, PreviewEvent):
            self._show_preview(event)
        elif isinstance(event, CheckpointSaved) and self._verbose:
            self._print(f"  checkpoint: {event.path}")
        elif isinstance(event, SecondPhaseStarted):
            self._print(f"  step {event.step}: from here on against discriminators, with the encoder as it is")
        elif isinstance(event, RolledBack):
            self._print(
                f"! {event.reason}; back to {event.checkpoint}, and on with a learning rate of {event.learning_rate:g}"
            )
        elif isinstance(event, Warned):
            self._print(f"! {event.message}")
        elif isinstance(event, TrainingCompleteEvent):
            self.close()

    def close(self) -> None:
        """End the live display."""
        if self._live is not None:
            self._live.stop()

    def _print(self, text: str) -> None:
        print_lines(self._console, [text])
        self._printed_at = self._clock()

    def _show_preview(self, preview: PreviewEvent) -> None:
        """The first sounds of the model are told at once, and where they are; later ones by name."""
        folder = Path(preview.audio_path).parent
        if preview.kind not in WITHOUT_MODEL and folder.name != self._preview:
            if not self._preview:
                self._print(f"  first sounds to listen to: {folder}")
            self._preview = folder.name
        if self._verbose:
            self._print(f"  preview {preview.kind}: {preview.audio_path}")

    def _show_step(self, step: StepMetrics) -> None:
        self._n_steps += 1
        if self._n_steps == UNTIMED_STEPS:
            self._timed_from = (step.step, self._clock())
        if self._n_steps == UNTIMED_STEPS + TIMED_STEPS:
            self._say_how_long(step)
        if self._live is not None:
            self._live.update(self._draw(step))
        elif self._clock() - self._printed_at > PLAIN_STEP_INTERVAL_S:
            self._print(f"  step {step.step}/{step.total_steps}  loss {step.train_loss:.3f}  {self._say_left(step)}")

    def _say_how_long(self, step: StepMetrics) -> None:
        """What the run amounts to, once a few steps are timed: how long a run is, is not known before it is begun."""
        left_s = self._estimate_left(step)
        if self._started is None or self._minutes or left_s is None:
            return
        self._print(f"  {self._started.total_epochs} epochs: about {format_duration(left_s)} to go at this pace")
        if hint := suggest_time(left_s):
            self._print(f"  less: Ctrl-C keeps what was learned, {hint}")

    def _estimate_left(self, step: StepMetrics) -> float | None:
        """Seconds to the last step, at the pace since this process began; `None` while there is none."""
        first, began = self._timed_from
        if not 0 < first < step.step:
            return None
        return (step.total_steps - step.step) * (self._clock() - began) / (step.step - first)

    def _say_left(self, step: StepMetrics) -> str:
        left_s = self._estimate_left(step)
        return "" if left_s is None else f"ETA {format_duration(left_s)}"

    def _draw(self, step: StepMetrics) -> Group:
        """The live lines: where the run is in its epoch, how it does, how long it takes, what can be heard."""
        started = self._started
        if started is None:
            return Group()
        table = Table.grid(padding=(0, 1))
        n_before = (step.epoch - 1) * started.steps_per_epoch
        done, n_own = step.step - n_before, min(started.steps_per_epoch, step.total_steps - n_before)
        n_epochs = math.ceil(step.total_steps / started.steps_per_epoch)
        table.add_row(
            f"epoch {step.epoch}/{n_epochs}",
            ProgressBar(total=n_own, completed=done, width=BAR_WIDTH),
            f"{done}/{n_own}",
            f"loss {step.train_loss:.3f}",
            self._say_left(step),
        )
        memory_gib = peak_memory_gib()
        facts = [f"newest preview {self._preview}"] if self._preview else []
        facts += [] if memory_gib is None else [f"peak memory {memory_gib:.1f} GiB"]
        return Group(table, Text(f"  {', '.join(facts)}", no_wrap=True, overflow="ellipsis"))

    def _describe_epoch(self, epoch: EpochMetrics) -> str:
        eta = f"  ETA {format_duration(epoch.eta_seconds)}" if self._live is None and epoch.eta_seconds else ""
        return (
            f"epoch {epoch.epoch}/{epoch.total_epochs}  train {epoch.train_loss:.3f}  "
            f"{self._held_out} {epoch.val_loss:.3f}  gap {describe_gap(epoch)}{'  *best' if epoch.is_best else ''}{eta}"
        )


def describe_gap(epoch: EpochMetrics) -> str:
    """The overfitting gap with its interval, where it has one: `+34 % (+21 to +50)`."""
    bounds = (epoch.gap_low, epoch.gap_high) if epoch.gap_low < epoch.gap_high else ()
    return format_share(epoch.overfitting_gap, *bounds, sign="+")


def peak_memory_gib() -> float | None:
    """Largest resident memory of this process so far, GiB; `None` on Windows, where Python does not tell it."""
    if sys.platform == "win32":
        return None
    unit = 1 if sys.platform == "darwin" else 1024  # bytes on macOS, KiB elsewhere
    return float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**30)
