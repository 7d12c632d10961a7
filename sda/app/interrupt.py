"""Stopping on request: the first signal lets the step finish and the state be saved, the second stops at once."""

import signal
from types import FrameType, TracebackType
from typing import Any

from rich.console import Console


class StopRequest:
    """While entered, Ctrl-C and SIGTERM ask for a stop instead of ending the process.

    A second signal raises `KeyboardInterrupt`: the last checkpoint stays intact.
    """

    SIGNALS = (signal.SIGINT, signal.SIGTERM)

    def __init__(self, console: Console):
        self.requested = False
        self.signal_number = 0
        """Number of the signal that asked; 0 while none did."""
        self._console = console
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> "StopRequest":
        self._before = {number: signal.signal(number, self._handle) for number in self.SIGNALS}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.requested:
            raise KeyboardInterrupt
        self.requested, self.signal_number = True, number
        self._console.print("stopping after this step; once more stops at once, without saving", style="yellow")
