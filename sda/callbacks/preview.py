"""Renders previews at an interval and at the end."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from sda.training.events import (
    EpochMetrics,
    Event,
    MetricsCallback,
    PreviewEvent,
    RunStarted,
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


class PreviewCallback:
    """Tells of every sound rendered; a disk that refuses one is warned about and does not stop the run.

    Args:
        render: renders an epoch's previews.
        render_once: each renders something that no epoch changes, when a run starts: what becomes of sound
            without a model, what augmentation makes of a chunk.
        interval: epochs between previews.
        sample_rate_hz: of the sounds.
        emit: told `PreviewEvent` and `Warned`.
    """

    def __init__(
        self,
        render: Callable[[int], Sequence[RenderedPreview]],
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
        self._rendered_epoch = 0

    def __call__(self, event: Event) -> None:
        if isinstance(event, RunStarted) and event.start_step == 0:
            for render in self._render_once:
                self._tell(0, render)
        elif isinstance(event, EpochMetrics) and event.epoch % self._interval == 0:
            self._render_epoch(event.epoch)
        elif isinstance(event, TrainingCompleteEvent) and self._rendered_epoch < event.total_epochs:
            self._render_epoch(event.total_epochs)

    def _render_epoch(self, epoch: int) -> None:
        self._rendered_epoch = epoch
        self._tell(epoch, lambda: self._render(epoch))

    def _tell(self, epoch: int, render: Callable[[], Sequence[RenderedPreview]]) -> None:
        try:
            previews = render()
        except OSError as error:
            self._emit(Warned("preview_failed", f"the preview of epoch {epoch} could not be written: {error}", epoch))
            return
        for preview in previews:
            picture = "" if preview.picture is None else str(preview.picture)
            self._emit(PreviewEvent(epoch, str(preview.audio), self._sample_rate_hz, preview.kind, picture))
