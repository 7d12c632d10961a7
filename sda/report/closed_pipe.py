"""A closed pipe: whoever read what a verb prints, such as `head`, has seen enough."""

import errno
import os
import signal
import sys

from rich.console import Console

EXIT_CLOSED_PIPE = 128 + 13
"""What a shell says of a tool that a closed pipe ended (SIGPIPE)."""


class PipedConsole(Console):
    """Lets a closed pipe be known by its error, where rich would exit by itself."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))


class TrainingConsole(Console):
    """Asks a training to save and stop when nobody reads it any more, as SIGTERM does."""

    def on_broken_pipe(self) -> None:
        self.quiet = True
        drop_output()
        os.kill(os.getpid(), signal.SIGTERM)


def drop_output() -> None:
    """Let whatever is still printed go nowhere, what Python prints when it ends included."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
