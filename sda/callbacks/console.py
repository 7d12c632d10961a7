"""What a person sees while a run goes on: a live line in a terminal, plain lines elsewhere."""

import resource
import sys
import time
from pathlib import Path

from rich.console import Console
from rich.live import Live
from rich.table import Table

from sda.printable import make_lines_printable
from sda.training.events import (
    CheckpointSaved,
    EpochMetrics,
    Event,
    PreviewEvent,
    RolledBack,
    RunStarted,
    SecondPhaseStarted,
    StepMetrics,
    Warned,
)
from sda.wording import format_duration

REFRESH_PER_S = 4
PLAIN_STEP_INTERVAL_S = 30.0
"""Without a terminal, an epoch that takes long says where it is this often."""


class ConsoleCallback:
    """Prints a line an epoch, warnings as they come, and in a terminal a live line below them.

    Args:
        console: where to print; its `is_terminal` decides between live and plain.
        verbose: also print every checkpoint and preview.
    """

    def __init__(self, console: Console, verbose: bool = False):
        self._console = console
        self._verbose = verbose
        self._live = Live(console=console, refresh_per_second=REFRESH_PER_S) if console.is_terminal else None
        self._started: RunStarted | None = None
        self._held_out = "held-out"
        self._epoch: EpochMetrics | None = None
        self._step: StepMetrics | None = None
        self._preview = ""
        self._printed_at = time.monotonic()

    def __call__(self, event: Event) -> None:
        if isinstance(event, RunStarted):
            self._started = event
            self._held_out = "held-out (weak)" if event.validation_weakness else "held-out"
            if self._live is not None:
                self._live.start()
        elif isinstance(event, StepMetrics):
            self._show_step(event)
        elif isinstance(event, EpochMetrics):
            self._epoch = event
            self._print(_describe_epoch(event, self._held_out))
        elif isinstance(event, PreviewEvent):
            self._preview = event.audio_path
            if self._verbose:
                self._print(f"  preview {event.kind}: {event.audio_path}")
        elif isinstance(event, CheckpointSaved) and self._verbose:
            self._print(f"  checkpoint: {event.path}")
        elif isinstance(event, SecondPhaseStarted):
            self._print(f"  step {event.step}: from here on against discriminators, with the encoder as it is")
        elif isinstance(event, RolledBack):
            self._print(
                f"! {event.reason}; back to {event.checkpoint}, and on with a learning rate of {event.learning_rate:g}",
                style="yellow",
            )
        elif isinstance(event, Warned):
            self._print(f"! {event.message}", style="yellow")

    def close(self) -> None:
        """End the live display."""
        if self._live is not None:
            self._live.stop()

    def _print(self, text: str, style: str | None = None) -> None:
        self._console.print(make_lines_printable(text), style=style, markup=False, highlight=False, soft_wrap=True)
        self._printed_at = time.monotonic()

    def _show_step(self, step: StepMetrics) -> None:
        self._step = step
        if self._live is not None:
            self._live.update(self._draw())
        elif time.monotonic() - self._printed_at > PLAIN_STEP_INTERVAL_S:
            self._print(f"  step {step.step}/{step.total_steps}  loss {step.train_loss:.3f}")

    def _draw(self) -> Table:
        """The live line: where the run is, how it does, how long it takes."""
        table = Table.grid(padding=(0, 2))
        step, epoch, started = self._step, self._epoch, self._started
        if step is None or started is None:
            return table
        n_left = step.total_steps - step.step
        eta_s = epoch.eta_seconds if epoch is not None else n_left * step.step_time_s
        table.add_row(
            f"epoch {step.epoch}/{started.total_epochs}",
            f"step {step.step}/{step.total_steps}",
            f"loss {step.train_loss:.3f}",
            f"KL {step.kl_loss:.4f} × {step.kl_weight:.2f}",
            f"{self._held_out} {epoch.val_loss:.3f}, gap {describe_gap(epoch)}" if epoch is not None else "",
            f"lr {step.learning_rate:.1e}",
            f"ETA {format_duration(eta_s)}",
            f"{peak_memory_gib():.1f} GiB",
            Path(self._preview).parent.name if self._preview else "",
        )
        return table


def _describe_epoch(epoch: EpochMetrics, held_out: str) -> str:
    star = " *best" if epoch.is_best else ""
    return (
        f"epoch {epoch.epoch}/{epoch.total_epochs}  train {epoch.train_loss:.3f}  {held_out} {epoch.val_loss:.3f}  "
        f"gap {describe_gap(epoch)}  KL {epoch.kl_divergence:.0f} nat, {epoch.active_units} active  "
        f"lr {epoch.learning_rate:.1e}  ETA {format_duration(epoch.eta_seconds)}{star}"
    )


def describe_gap(epoch: EpochMetrics) -> str:
    """The overfitting gap with its interval and trend, as far as there are any: `+34% (+21% to +50%, widening)`."""
    notes = [f"{epoch.gap_low:+.0%} to {epoch.gap_high:+.0%}"] if epoch.gap_low < epoch.gap_high else []
    notes += [epoch.trend] if epoch.trend in ("widening", "narrowing") else []
    return f"{epoch.overfitting_gap:+.0%}" + (f" ({', '.join(notes)})" if notes else "")


def peak_memory_gib() -> float:
    """Largest resident memory of this process so far, GiB."""
    unit = 1 if sys.platform == "darwin" else 1024  # bytes on macOS, KiB elsewhere
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**30
