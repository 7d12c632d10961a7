"""The project's scripts in processes of their own, forked from one that has imported what takes seconds to import.

A real start imports torch, torchaudio and the rest each time: about five seconds of CPU, of which a suite with sixty
commands would feel every one. What a command imports, and when, is tested where real processes are started.
"""

import atexit
import multiprocessing
import os
import runpy
import signal
import subprocess
import sys
import threading
import time
import traceback
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

_HEAVY = (
    "hydra_plugins.hydra_optuna_sweeper.config",
    "hydra_plugins.hydra_ray_launcher._config",
    "matplotlib.backends.backend_agg",
    "matplotlib.figure",
    "mlflow.store.tracking.sqlalchemy_store",
    "safetensors.torch",
    "sklearn.manifold",
    "sda.app.command_line",
    "sda.app.evaluate",
    "sda.app.generate",
    "sda.app.train",
    "sqlalchemy.dialects.sqlite",
    "torchaudio",
    "tests.last_before_forks",
)
_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(list(_HEAVY))


class ForkedScript:
    """A script that runs; has what is used of `subprocess.Popen`.

    Args:
        constants: of modules, `module.NAME`, and the values that they have instead.
    """

    def __init__(
        self,
        script: Path,
        arguments: tuple[str, ...],
        folder: Path,
        environment: dict[str, str],
        constants: dict[str, int] | None = None,
    ):
        self.args = [str(script), *arguments]
        self._outputs = [folder.parent / f"{name}-{time.monotonic_ns()}.txt" for name in ("out", "err")]
        self._process = _CONTEXT.Process(
            target=_run_script, args=(_Call(script, arguments, folder, environment, constants or {}), self._outputs)
        )
        self._process.start()

    @property
    def pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        return self._process.exitcode

    def poll(self) -> int | None:
        return self.returncode

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """Wait for the end; everything printed.

        Raises:
            subprocess.TimeoutExpired: it goes on.
        """
        self._process.join(timeout)
        if self.poll() is None:
            raise subprocess.TimeoutExpired(self.args, timeout or 0.0)
        out, err = (path.read_text() if path.exists() else "" for path in self._outputs)
        return out, err


class _Call(NamedTuple):
    script: Path
    arguments: tuple[str, ...]
    folder: Path
    environment: dict[str, str]
    constants: dict[str, int]


def _run_script(call: _Call, outputs: list[Path]) -> None:
    """In the new process: what Python does with a script, from its arguments to its exit code."""
    for descriptor, path in zip((1, 2), outputs, strict=True):
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        os.dup2(file, descriptor)
        os.close(file)
    sys.stdin = open(os.devnull, encoding="utf-8")
    os.chdir(call.folder)
    os.environ.clear()
    os.environ.update(call.environment)
    sys.argv = [str(call.script), *call.arguments]
    sys.path.insert(0, str(call.script.parent))
    for place, value in call.constants.items():
        module, _, name = place.rpartition(".")
        assert hasattr(import_module(module), name), place
        setattr(import_module(module), name, value)
    code: int | str | None = 0
    try:
        runpy.run_path(str(call.script), run_name="__main__")
    except SystemExit as end:
        code = end.code
    except KeyboardInterrupt:
        code = 130
    except BaseException:
        traceback.print_exc()
        code = 1
    if isinstance(code, str):
        print(code, file=sys.stderr)
        code = 1
    threading._shutdown()  # as the interpreter does: threads that are no daemons end first
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code or 0)
