"""Renders previews at an interval, when they are asked for, and at the end."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from sda.training.events import (
    EpochMetrics,
    Event,
    MetricsCallback,
    PreviewDue,
    PreviewEvent,
    RunStarted,
    StepMetrics,
    TrainingCompleteEvent,
    Warned,
)


class RenderedPreview(Protocol):
    """A sound that was written, with its picture."""

    @property
    def kind(self) -> str: ...
    @property
    def audio(self) -> Path: ...
    @property
    def picture(self) -> Path | None: ...


class Render(Protocol):
    """Renders the model as it is after so many epochs, and steps where that is in mid-epoch."""

    def __call__(self, epoch: int, step: int | None = None) -> Sequence[RenderedPreview]: ...


class PreviewCallback:
    """Tells of every sound rendered; a disk that refuses one is warned about and does not stop the run.

    Args:
        render: renders the model's previews.
        render_once: each renders something that no step changes, after the first one, so that nobody waits longer
            for it: what becomes of sound without a model, what augmentation makes of a chunk.
        interval: epochs between previews.
        sample_rate_hz: of the sounds.
        emit: told `PreviewEvent` and `Warned`.
    """

    def __init__(
        self,
        render: Render,
        render_once: Sequence[Callable[[], Sequence[RenderedPreview]]],
        interval: int,
        sample_rate_hz: int,
        emit: MetricsCallback,
    ):
        self._render = render
        self._render_once = render_once
        self._interval = interval
        self._sample_rate_hz = sample_rate_hz
        self._emit = emit
        self._owes_what_stays = False
        """Whether what no step changes is still to be rendered."""
        self._has_learned = True
        """Whether a step was taken since the last preview, as far as is known."""

    def __call__(self, event: Event) -> None:
        if isinstance(event, RunStarted):
            self._owes_what_stays = event.start_step == 0
        elif isinstance(event, StepMetrics):
            self._has_learned = True
            if self._owes_what_stays:
                self._owes_what_stays = False
                for render in self._render_once:
                    self._tell(0, render)
        elif isinstance(event, EpochMetrics):
            self._has_learned = True
            if event.epoch % self._interval == 0:
                self._render_now(event.epoch)
        elif isinstance(event, PreviewDue) and self._has_learned:
            self._render_now(event.epoch, event.step)
        elif isinstance(event, TrainingCompleteEvent) and self._has_learned:
            self._render_now(event.total_epochs)

    def _render_now(self, epoch: int, step: int | None = None) -> None:
        self._has_learned = False
        self._tell(epoch, lambda: self._render(epoch, step))

    def _tell(self, epoch: int, render: Callable[[], Sequence[RenderedPreview]]) -> None:
        try:
            previews = render()
        except OSError as error:
            words = f"the preview after epoch {epoch} could not be written: {error}"
            self._emit(Warned("preview_failed", words, epoch))
            return
        for preview in previews:
            picture = "" if preview.picture is None else str(preview.picture)
            self._emit(PreviewEvent(epoch, str(preview.audio), self._sample_rate_hz, preview.kind, picture))
