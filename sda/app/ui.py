"""`sda ui`, or `make ui`: MLflow's pages over the embedded store, on this machine alone."""

import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
from argparse import ArgumentParser
from contextlib import closing
from pathlib import Path

from sda.config.environment import URI, choose_experiment, choose_uri
from sda.shell import name_command
from sda.tracking.delivery_state import resolve_uri
from sda.tracking.quiet import keep_quiet

VIEW = "workflowType=machine_learning"
"""MLflow 3 opens on a page for language models that hides training runs; this is the other one."""
ASKED_EVERY_S = 0.2
FOR_ONE = ("--workers", "1")
"""One person looks: left alone, MLflow starts four workers, each of which takes seconds to import what it needs."""


def ui() -> None:
    """Entry point of `sda ui`."""
    parser = ArgumentParser(description="Serve MLflow's pages over the runs, on this machine alone, until Ctrl-C.")
    parser.add_argument("port", nargs="?", type=int, default=5000, help="where, 1 to 65535; 5000 without one")
    port = parser.parse_args().port
    if not 0 < port < 65536:
        parser.error(f"port {port} is none: 1 to 65535")
    main(str(port))


def main(port: str) -> None:
    """Serve the pages until Ctrl-C, and say where they are once they answer.

    A store that is a server already only has its address shown.
    """
    store = resolve_uri(choose_uri())
    if not store.startswith("sqlite:///"):
        print(f"open {store.rstrip('/')}/#/experiments?{VIEW}: {URI} names a server, which shows its runs itself")
        return
    if _is_taken(int(port)):
        sys.exit(f"error: port {port} is taken by another program. Give another one: {_name_on_port(int(port) + 1)}")
    keep_quiet()
    print("MLflow's pages are being started; the link comes when they answer", flush=True)
    command = ["mlflow", "server", "--backend-store-uri", store, *FOR_ONE, "--host", "127.0.0.1", "--port", port]
    server = subprocess.Popen([sys.executable, "-m", *command])
    signal.signal(signal.SIGTERM, lambda *_: server.terminate())
    try:
        if _wait_for_answer(server, port):
            print(f"open http://127.0.0.1:{port}/{_name_page(store)}?{VIEW}", flush=True)
        code = server.wait()
    except KeyboardInterrupt:  # the server got it too
        code = server.wait()
    sys.exit(code)


def _is_taken(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False


def _name_on_port(port: int) -> str:
    command = name_command("ui")
    return f"{command} PORT={port}" if command.startswith("make") else f"{command} {port}"


def _wait_for_answer(server: "subprocess.Popen[bytes]", port: str) -> bool:
    """Whether the server came up; it imports much first."""
    while server.poll() is None:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5).close()
        except (urllib.error.URLError, OSError):
            time.sleep(ASKED_EVERY_S)
        else:
            return True
    return False


def _name_page(store: str) -> str:
    """The page of the runs of the experiment, or of all experiments where it holds none yet."""
    try:
        uri = f"{Path(store.removeprefix('sqlite:///')).absolute().as_uri()}?mode=ro"
        with closing(sqlite3.connect(uri, uri=True)) as database:
            found = database.execute(
                "SELECT experiment_id FROM experiments WHERE name = ?", (choose_experiment(),)
            ).fetchone()
    except sqlite3.Error:
        found = None
    return "#/experiments" if found is None else f"#/experiments/{int(found[0])}/runs"


if __name__ == "__main__":
    ui()
