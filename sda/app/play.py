"""`play.py`: the page to play on, served on this machine until Ctrl-C."""

import os
import secrets
import socket
import webbrowser
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import uvicorn
from rich.console import Console

from sda.app.played_run import open_for_page
from sda.config.play import PlayConfig
from sda.config.verbs import AUTO_LENGTH, WhichCheckpoint
from sda.errors import ConfigError
from sda.play.lookup import make_id
from sda.play.opened import OpenedRun
from sda.play.server import build_app
from sda.play.session import Session
from sda.runs.folder import find_model
from sda.runs.generated_record import read_record
from sda.terminal import print_lines

LONGEST_GOODBYE_S = 2
"""How long an answer that is on its way is waited for at the end."""
HOST = "127.0.0.1"


def serve_page(config: PlayConfig, console: Console) -> None:
    """Serve the page until Ctrl-C; it is there at once, and the model is opened meanwhile.

    Raises:
        CheckpointError: there is no such run.
        ConfigError: the port is taken.
    """
    run_dir = find_model(config.run)
    with _take_port(config.port) as listening:

        def open_chosen(run_dir: Path, which: WhichCheckpoint) -> OpenedRun:
            return open_for_page(run_dir, config.device, which, config.data.root if run_dir == session.chosen else "")

        session = Session(open_chosen, run_dir, config.checkpoint, tell_of_kept)
        server = uvicorn.Server(
            uvicorn.Config(
                build_app(session, config.port),
                http="h11",
                ws="none",
                loop="asyncio",
                lifespan="on",
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_graceful_shutdown=LONGEST_GOODBYE_S,
            )
        )
        link = f"http://{HOST}:{config.port}"
        session.ask_to_open(make_id(run_dir), tab="")  # torch is imported while the page is being opened
        print_lines(console, [f"open {link} (Ctrl-C ends it)"])
        if config.browser:
            webbrowser.open(link)
        try:
            with suppress(KeyboardInterrupt):  # it has ended in order, whether it passes Ctrl-C on or not
                server.run(sockets=[listening])
            print_lines(console, ["ended"])
        finally:
            session.close()


def tell_of_kept(run_dir: Path, folder: Path) -> Sequence[str]:
    """Let a run's journal and MLflow know of a sound that is kept; what could not be done."""
    from sda.runs.late_events import record
    from sda.training.events import Generated

    facts = read_record(folder)
    event = Generated(
        epoch=facts["epoch"],
        mode=facts["mode"],
        seed=facts["seed"],
        n=len(facts["files"]),
        duration_s=0.0 if facts["duration_s"] == AUTO_LENGTH else float(facts["duration_s"]),
        folder=str(folder),
        audio_paths=[str(folder / file["file"]) for file in facts["files"]],
        name=f"kept_{folder.name}_{secrets.token_hex(3)}",
        record_path=str(folder / "generated.json"),
    )
    return record(run_dir, event)


def _take_port(port: int) -> socket.socket:
    """A socket that listens; whoever connects before the server is there waits.

    Raises:
        ConfigError: another program has the port.
    """
    listening = socket.socket()
    if os.name == "posix":
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((HOST, port))
        listening.listen(64)
    except OSError as error:
        listening.close()
        other = port + 1 if port < 65535 else port - 1
        raise ConfigError(
            f"port={port} cannot be had ({error.strerror}): another page may be served there. Give another one: "
            f"port={other}"
        ) from error
    return listening
