"""A server of the page on a free port of this machine, asked as its own page asks."""

import http.client
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import uvicorn

from sda.config.verbs import GenerateConfig
from sda.generation.provenance import Provenance
from sda.play.lookup import make_id
from sda.play.opened import Control, MapPlace, Mode, OpenedRun
from sda.play.server import build_app
from sda.play.session import Session
from sda.runs.generated_folder import Call, Made
from sda.runs.outputs import claim_next
from tests.conftest import RATE_HZ

FADER = Control(
    key="novelty", name="brightness", unit="semitones", low=0.0, high=1.0, reliability=0.9, is_named=True,
    leakage="moves loudness by 1 dB",
)  # fmt: skip
PLACES = [
    MapPlace(name="rain.wav", start_s=0.5, side="train", x=0.0, y=0.0),
    MapPlace(name="voice.wav", start_s=0.0, side="held_out", x=1.0, y=2.0),
]


class Halves(Provenance):
    """Two halves of one recording."""

    def describe(self) -> dict[str, Any]:
        source = {"recording": "rain.wav", "share": 1.0, "at_s": 0.5}
        stretches = [{"start_s": half / 2, "end_s": half / 2 + 0.5, "sources": [source]} for half in (0, 1)]
        return {"shares": {"rain.wav": 1.0}, "stretches": stretches}


class FakeRun:
    """A run whose sounds are noise at once; `is_held` keeps them waiting in the middle of one."""

    def __init__(self, run_dir: Path, held_out: dict[str, Path] | None = None):
        self.run_dir = run_dir
        self.held_out = held_out or {}
        self.may_go_on = threading.Event()
        self.may_go_on.set()
        self.is_waiting = threading.Event()
        self.asked: list[GenerateConfig] = []

    def open(self) -> OpenedRun:
        return OpenedRun(
            rate_hz=RATE_HZ,
            generated=self.run_dir / "generated",
            kept=self.run_dir / "kept",
            modes=[Mode("sample", 0), Mode("vary", 1), Mode("blend", 2)],
            generate=self.generate,
            held_out=self.held_out,
            recordings=self.held_out,
            defaults={"novelty": 0.1},
            controls=[FADER],
            read_map=lambda: PLACES,
            plan_walk=lambda path: {"novelty": str(len(path) / 10)},
        )

    def generate(self, config: GenerateConfig, watch: Any) -> Path:
        self.asked.append(config)
        folder = claim_next(self.run_dir / "generated" / f"{config.mode.value}_seed_{config.seed}", "generated.json")
        facts = {
            "run": str(self.run_dir), "mode": config.mode.value, "seed": config.seed, "n": config.n, "epoch": 1,
            "duration_s": config.duration_s, "sample_rate_hz": RATE_HZ, "checkpoint": "best", "noise": True,
            "source": config.source, "prior": {"name": "mosaic", "novelty": config.novelty}, "device": "cpu",
            "format": "wav16",
        }  # fmt: skip
        call = Call(folder, facts, config.n)
        try:
            call.record()
            for made in watch((Made(self._make(config), [], Halves([], 1.0)) for _ in range(config.n)), config.n):
                call.write(made, RATE_HZ)
        except BaseException:
            call.give_back(False)
            raise
        return folder

    def _make(self, config: GenerateConfig) -> Iterator[torch.Tensor]:
        random = torch.Generator().manual_seed(config.seed)
        for _ in range(4):
            yield torch.randn(RATE_HZ // 4, generator=random) * 0.1
            self.is_waiting.set()
            assert self.may_go_on.wait(60)


@dataclass
class Answer:
    """What came back."""

    code: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Client:
    """Asks a server as its page does; `headers` replace those of the page, and `None` leaves one out."""

    port: int
    run: str = ""

    def ask(self, method: str, path: str, body: Any = None, **headers: str | None) -> Answer:
        given = {
            "Host": f"127.0.0.1:{self.port}",
            "Origin": f"http://127.0.0.1:{self.port}",
            "Sec-Fetch-Site": "same-origin",
        }
        given |= {name.replace("_", "-"): value for name, value in headers.items()}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.putrequest(method, path.replace("RUN", self.run), skip_host=True, skip_accept_encoding=True)
            content = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
            if content and "Transfer-Encoding" not in given and "Content-Length" not in given:
                given["Content-Length"] = str(len(content))
            for name, value in given.items():
                if value is not None:
                    connection.putheader(name, value)
            connection.endheaders(content or None)
            response = connection.getresponse()
            return Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())
        finally:
            connection.close()

    def follow(self, answer: Answer) -> dict[str, Any]:
        """The job that was asked for, once it has ended."""
        assert answer.code == 200, answer.body
        job = answer.json
        deadline = time.monotonic() + 120
        while job["state"] in ("waiting", "running"):
            assert time.monotonic() < deadline
            time.sleep(0.01)
            job = self.ask("GET", f"/api/jobs/{job['id']}").json
        return job

    def open(self) -> dict[str, Any]:
        return self.follow(self.ask("POST", "/api/runs/RUN/open", {}))

    def make(self, sources=(), tab="one", is_draft=False, replaces="", **settings: Any) -> dict[str, Any]:
        body = {"settings": {"mode": "sample", "n": 1, "duration_s": 1.0} | settings, "sources": list(sources)}
        return self.follow(
            self.ask("POST", "/api/runs/RUN/jobs", {**body, "tab": tab, "is_draft": is_draft, "replaces": replaces})
        )

    def sounds(self) -> list[dict[str, Any]]:
        return self.ask("GET", "/api/runs/RUN/sounds").json["sounds"]


def find_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@contextmanager
def serve(session: Session) -> Iterator[Client]:
    """The server, for as long as it is needed."""
    port = find_port()
    settings = uvicorn.Config(build_app(session, port), port=port, http="h11", ws="none", log_config=None)
    server = uvicorn.Server(settings)
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.005)
    try:
        yield Client(port, make_id(session.chosen))
    finally:
        server.should_exit = True
        thread.join(30)
