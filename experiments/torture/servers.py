"""Servers on 127.0.0.1 to be maltreated: MLflow on SQLite or PostgreSQL, and ones that misbehave by themselves."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from sda.tracking.quiet import SETTINGS

START_S = 120.0


def find_postgres() -> Path | None:
    """Folder of Debian's PostgreSQL programs, or of any on the path; nothing where there are none."""
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    if installed:
        return installed[-1]
    found = shutil.which("initdb")
    return Path(found).parent if found else None


def find_free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def run_postgres(folder: Path) -> Iterator[str]:
    """A PostgreSQL server with an empty database; gives its SQLAlchemy address."""
    programs = find_postgres()
    assert programs is not None
    as_user: list[str] = []
    if os.getuid() == 0:  # it refuses to run as root
        folder.chmod(0o755)
        account = pwd.getpwnam("postgres")
        os.chown(folder, account.pw_uid, account.pw_gid)
        for parent in folder.parents:
            if parent.stat().st_mode & 0o001 == 0:
                parent.chmod(parent.stat().st_mode | 0o001)
        as_user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
    port, data = find_free_port(), folder / "data"
    initdb = [*as_user, programs / "initdb", "-D", data, "-U", "sda", "-A", "trust", "--no-sync"]
    subprocess.run(initdb, check=True, capture_output=True, cwd=folder)
    server = subprocess.Popen(
        [*as_user, programs / "postgres", "-D", data, "-p", str(port), "-k", str(folder), "-h", "127.0.0.1", "-F"],
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait_until(lambda: _is_listening(port), server)
        yield f"postgresql+pg8000://sda@127.0.0.1:{port}/postgres"
    finally:
        server.send_signal(signal.SIGINT)  # a fast shutdown
        server.wait(30)


class MlflowServer:
    """`mlflow server` in a process of its own, which can be killed and started again at the same address.

    Args:
        artifacts: folder for artifacts; the server's log lies beside it.
        arguments: more options of `mlflow server`; they override the ones given here.
        environment: more variables of its environment.
    """

    def __init__(
        self,
        store_uri: str,
        artifacts: Path,
        arguments: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
    ):
        self.port = find_free_port()
        self.uri = f"http://127.0.0.1:{self.port}"
        self._command = [
            sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(self.port),
            "--backend-store-uri", store_uri, "--artifacts-destination", str(artifacts), "--workers", "1",
            *arguments,
        ]  # fmt: skip
        self._environment = {**SETTINGS, **(environment or {})}
        self._log = artifacts.with_suffix(".log")
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._process = subprocess.Popen(
            self._command,
            env={**os.environ, **self._environment},
            stdout=self._log.open("ab"),
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        _wait_until(self._answers, self._process)

    def kill(self) -> None:
        """End it and its workers at once."""
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.uri}/health", timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False


class _Failing(BaseHTTPRequestHandler):
    """Answers everything with an error of the server's own, after a while."""

    delay_s = 0.0

    def _answer(self) -> None:
        time.sleep(self.delay_s)
        self.send_response(500)
        self.end_headers()

    do_GET = do_POST = do_PATCH = _answer

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def run_failing(delay_s: float = 0.0) -> Iterator[str]:
    """A server that answers 500 to everything."""
    handler = type("Failing", (_Failing,), {"delay_s": delay_s})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def run_hanging() -> Iterator[str]:
    """A server that takes connections and never answers."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(64)
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def _is_listening(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1.0)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _wait_until(condition: Callable[[], bool], process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + START_S
    while not condition():
        assert process.poll() is None, "the server ended by itself"
        assert time.monotonic() < deadline, "the server did not start in time"
        time.sleep(0.1)
