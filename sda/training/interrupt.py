"""Signal handling, and what is due by the clock: to stop, to save, to stop at once, and to let the model be heard."""

import math
import signal
import threading
import time
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any

from rich.console import Console

from sda.training.events import CheckpointSaved, Event, PreviewEvent, RunStarted, TrainingCompleteEvent
from sda.training.loop import Request

SAVE_SIGNAL = getattr(signal, "SIGUSR1", None)
"""Asks for a checkpoint; Windows has no such signal."""
_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Requests:
    """Answers the loop's question what to do next; while entered, in the main thread, signals are requests.

    Ctrl-C and SIGTERM ask for a stop after the step, with a save; a second one raises `KeyboardInterrupt`: the last
    checkpoint stays intact. SIGUSR1 asks for a save. So does time. A run that is orphaned stops as after SIGTERM.

    Previews in mid-epoch come at doubling distances, each counted from the last preview, whatever it was made for:
    where epochs bring them more often, there are none.

    Args:
        save_every_s: seconds between saves; 0 leaves time out.
        preview_after_s: seconds to the first preview in mid-epoch; 0 leaves them out.
        clock: tells the time in seconds.
        is_orphaned: whether what the run belongs to is gone.
    """

    def __init__(
        self,
        console: Console,
        save_every_s: float = 0.0,
        preview_after_s: float = 0.0,
        clock: Callable[[], float] = time.monotonic,
        is_orphaned: Callable[[], bool] = lambda: False,
    ):
        self.signal_number = 0
        """Number of the signal that asked for a stop; 0 while none did."""
        self._is_save_asked = False
        self._words = "stopping after this step; once more stops at once, without saving"
        self._console = console
        self._save_every_s = save_every_s
        self._preview_after_s = preview_after_s
        self._clock = clock
        self._is_orphaned = is_orphaned
        self._saved_at = clock()
        self._previewed_at = math.inf
        self._before: dict[signal.Signals, Any] = {}

    def __call__(self) -> Request:
        """What the loop should do now."""
        if not self.signal_number and self._is_orphaned():
            self.signal_number = signal.SIGTERM
            self._console.print("the sweep's own process is gone: stopping after this step", style="yellow")
        if self.signal_number:
            return Request.STOP
        is_due = self._save_every_s > 0 and self._clock() - self._saved_at >= self._save_every_s
        if not self._is_save_asked and not is_due:
            return self._ask_for_preview()
        request = Request.SAVE_NOW if self._is_save_asked else Request.SAVE_IN_TIME
        self._is_save_asked = False
        self._saved_at = self._clock()  # if it fails it is not tried again at once
        return request

    def _ask_for_preview(self) -> Request:
        if not 0 < self._preview_after_s <= self._clock() - self._previewed_at:
            return Request.NOTHING
        self._previewed_at = self._clock()
        self._preview_after_s *= 2
        return Request.PREVIEW

    def hear(self, event: Event) -> None:
        """Listens for saves and previews, the next of which is due one interval after the last, and for the end."""
        if isinstance(event, TrainingCompleteEvent):
            self._words = "ending the evaluation; all that was learned is kept"
        if isinstance(event, RunStarted | PreviewEvent):
            self._previewed_at = self._clock()
        if isinstance(event, CheckpointSaved) and not event.is_best:
            self._saved_at = self._clock()

    def __enter__(self) -> "Requests":
        if threading.current_thread() is not threading.main_thread():
            return self  # Python lets no other thread hear signals: whoever started it in one stops it by other means
        handlers = dict.fromkeys(_STOP_SIGNALS, self._ask_to_stop)
        if SAVE_SIGNAL is not None:
            handlers[SAVE_SIGNAL] = self._ask_to_save
        self._before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _ask_to_stop(self, number: int, frame: FrameType | None) -> None:
        if self.signal_number:
            raise KeyboardInterrupt
        self.signal_number = number
        self._console.print(self._words, style="yellow")

    def _ask_to_save(self, number: int, frame: FrameType | None) -> None:
        self._is_save_asked = True
