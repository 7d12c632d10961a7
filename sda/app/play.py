"""`play.py`: the page to play on, served on this machine until Ctrl-C."""

import math
import os
import secrets
import socket
import webbrowser
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

import uvicorn
from rich.console import Console

from sda.config.play import PlayConfig
from sda.config.verbs import AUTO_LENGTH, GenerateConfig, GenerateMode, WhichCheckpoint
from sda.errors import ConfigError
from sda.play.lookup import make_id
from sda.play.opened import Control, MapPlace, Mode, OpenedRun, Path2D
from sda.play.server import build_app
from sda.play.session import Session
from sda.runs.folder import find_run
from sda.runs.generated_record import read_record
from sda.runs.outputs import find_places
from sda.terminal import print_lines

if TYPE_CHECKING:
    from sda.app.loading import TrainedRun
    from sda.evaluation.controls import ProvenControls
    from sda.generation.atlas import Atlas, Place

LONGEST_GOODBYE_S = 2
"""How long an answer that is on its way is waited for at the end."""
HOST = "127.0.0.1"
MOST_PASSED = 16
"""Places that a walk along a path on the map goes past."""
MOST_ON_MAP_S = 600.0
"""Of held-out sound, what lies on the map."""


def serve_page(config: PlayConfig, console: Console) -> None:
    """Serve the page until Ctrl-C; it is there at once, and the model is opened meanwhile.

    Raises:
        CheckpointError: there is no such run.
        ConfigError: the port is taken.
    """
    run_dir = find_run(config.run)
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
            server.run(sockets=[listening])
        except KeyboardInterrupt:  # uvicorn has ended in order, and passes it on
            print_lines(console, ["ended"])
        finally:
            session.close()


def open_for_page(run_dir: Path, device: str, which: WhichCheckpoint, root: str = "") -> OpenedRun:
    """A run, as the page uses it: made and written by the same functions as `generate.py` has.

    Raises:
        CheckpointError, ConfigError, DataError: it cannot be opened.
    """
    from sda.app.generate import Watch, generate_with
    from sda.app.loading import open_run
    from sda.app.making import NEED_TWO, NEEDS_NONE
    from sda.app.steering import find_controls, find_known_controls

    run = open_run(str(run_dir), device, which, root)
    run.synthesizer.sample(1, seed=0)  # what is worked out with the first sound is there before it
    places = find_places(run.run_dir, run.is_own)
    recordings: dict[str, Path] = {}
    if run.is_own or root:  # what a stranger's run names may be any file of this machine
        base = Path(run.config.data.root).expanduser()
        recordings = {os.path.relpath(now, base): Path(now) for now in run.places.values() if Path(now).is_file()}
    held_out = {os.path.relpath(one.path, base): Path(one.path) for one in run.split.val} if recordings else {}

    known = find_known_controls(run)
    board = _Board(run, held_out) if run.synthesizer.n_loudness and run.synthesizer.prior.name == "mosaic" else None

    def generate(config: GenerateConfig, watch: Watch) -> Path:
        config.device, config.data.root = device, root
        return generate_with(run, config, watch, known).folder

    def try_controls(advance: Callable[[float], None]) -> list[Control]:
        nonlocal known
        known = find_controls(run, advance)
        return _list_controls(known)

    return OpenedRun(
        rate_hz=run.config.audio.sample_rate_hz,
        generated=places.generated,
        kept=places.kept,
        modes=[Mode(mode.name, 0 if mode in NEEDS_NONE else 2 if mode in NEED_TWO else 1) for mode in GenerateMode],
        generate=generate,
        defaults={key: getattr(run.config.prior, key) for key in ("novelty", "memory_s", "temperature")},
        held_out={name: path for name, path in held_out.items() if path.is_file()},
        recordings=recordings,
        controls=_list_controls(known) if known is not None else (),
        try_controls=try_controls if known is None and run.synthesizer.n_loudness else None,
        read_map=board.list_places if board else None,
        plan_walk=board.plan_walk if board else None,
    )


class _Board:
    """The map of a run's sounds, laid out when it is first asked for."""

    def __init__(self, run: "TrainedRun", held_out: Mapping[str, Path]):
        self._run = run
        self._held_out = held_out
        self._lock = Lock()
        self._atlas: Atlas | None = None

    def list_places(self) -> list[MapPlace]:
        """Every second of training sound, and of held-out sound as far as its files are known."""
        return [
            MapPlace(name=one.recording, start_s=one.start_s, side=one.side, x=one.x, y=one.y)
            for one in self._lay_out().places
        ]

    def plan_walk(self, path: Path2D) -> dict[str, str]:
        """The places of training sound that a path comes by, as `generate.py` is told of them."""
        import torch

        places = [one for one in self._lay_out().places if one.side == "train" and not {",", "@"} & {*one.recording}]
        if not places:
            raise ConfigError("There is nothing on the map that could be walked past.")
        corners, points = torch.tensor(path), torch.tensor([[one.x, one.y] for one in places])
        lengths = torch.cat([torch.zeros(1), corners.diff(dim=0).norm(dim=1).cumsum(dim=0)])
        passed: list[Place] = []
        for length in torch.linspace(0.0, float(lengths[-1]), MOST_PASSED):
            behind = int(torch.searchsorted(lengths, length).clamp(1, len(corners) - 1))
            share = (length - lengths[behind - 1]) / (lengths[behind] - lengths[behind - 1]).clamp(min=1e-9)
            point = torch.lerp(corners[behind - 1], corners[behind], share.clamp(0.0, 1.0))
            nearest = places[int((points - point).norm(dim=1).argmin())]
            if not passed or passed[-1] != nearest:
                passed.append(nearest)
        return {"mode": "walk", "places": ",".join(f"{one.recording}@{one.start_s:g}" for one in passed)}

    def _lay_out(self) -> "Atlas":
        from sda.data.corpus import Corpus
        from sda.generation.atlas import build_atlas
        from sda.generation.passages import take_bank
        from sda.models.priors.prior import Recording
        from sda.runs.prepare_data import build_cache

        with self._lock:
            if self._atlas is None:
                run, synthesizer = self._run, self._run.synthesizer
                prior = take_bank(synthesizer.prior, "walk")
                corpus = Corpus(build_cache(run.config), run.known, run.config.data.gain_db)
                rate_hz, left, heard = (
                    run.features.sample_rate_hz,
                    round(MOST_ON_MAP_S * run.features.sample_rate_hz),
                    [],
                )
                for name, path in self._held_out.items():
                    if name not in prior.names and left > 0:
                        sound = corpus.get(str(path))[:left]
                        left -= len(sound)
                        heard.append(Recording(name, synthesizer.encode(sound)))
                self._atlas = build_atlas(prior, synthesizer.hop_samples / rate_hz, heard)
            return self._atlas


def _list_controls(proven: "ProvenControls") -> list[Control]:
    """A run's controls as the page has them, those with a name first."""
    from sda.evaluation.controls import number_axis
    from sda.report.control_words import describe_unit, list_control_rows, tell_moving_along

    found = []
    for row in list_control_rows(proven):
        proof = next(one for one in proven.proofs if row.key in (one.key, f"axis_{number_axis(one.key)}"))
        if math.isfinite(proof.correlation.value):
            found.append(
                Control(
                    key=row.key,
                    name=row.name,
                    unit=describe_unit(proof.key).strip(),
                    low=-proof.reach,
                    high=proof.reach,
                    reliability=proof.correlation.value,
                    is_named=proven.is_named(proof.key),
                    leakage=tell_moving_along(proof),
                )
            )
    return found


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
