"""Servers that would hold a command up for ever: each byte comes in time, or the answer is promised for tomorrow."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from sda.runs import late_events, sync
from sda.runs.late_events import record
from sda.runs.sync import sync_runs
from sda.seal import mark_own
from sda.tracking.delivery import deliver_in_time, try_to_deliver
from sda.tracking.delivery_state import TrackingSettings, read_settings, write_settings
from sda.tracking.journal import Journal
from sda.training.events import RunEnded, Warned
from tests.events import started

pytestmark = pytest.mark.filterwarnings("ignore")  # MLflow's own imports warn of themselves


@contextmanager
def _serve(answer: Callable[[BaseHTTPRequestHandler, threading.Event], None]) -> Iterator[str]:
    """A server on loopback that answers every GET and POST as it is told; the address of it."""
    is_over = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            answer(self, is_over)

        do_POST = do_GET

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        is_over.set()
        server.shutdown()
        thread.join()
        server.server_close()


def _drip(request, is_over):
    request.send_response(200)
    request.send_header("Content-Length", "1000000")
    request.end_headers()
    while not is_over.wait(0.05):
        request.wfile.write(b" ")


def _put_off(request, is_over):
    request.send_response(429)
    request.send_header("Retry-After", "100000")
    request.send_header("Content-Length", "0")
    request.end_headers()


@pytest.fixture
def run_dir(tmp_path, monkeypatch):
    """A run that ended, below the project's runs, and that no server has yet."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "runs" / "day" / "run"
    folder.mkdir(parents=True)
    (folder / "summary.json").write_text('{"status": "finished"}')
    mark_own(folder)
    journal = Journal(folder)
    for event in (started(), RunEnded("finished", 0, 0)):
        journal(event)
    journal.close()
    return folder


def _track(run_dir, uri):
    dataset = {"name": "sounds", "digest": "abc", "source": "{}", "profile": "{}"}
    write_settings(run_dir, TrackingSettings(uri, "test", "run", {}, {}, dataset, []))


def test_no_command_waits_for_a_server_that_never_ends_its_answer(run_dir, monkeypatch):
    in_time = partial(deliver_in_time, deadline_s=0.5)
    monkeypatch.setattr(late_events, "deliver_in_time", in_time)
    monkeypatch.setattr(sync, "deliver_in_time", in_time)
    with _serve(_drip) as uri:
        _track(run_dir, uri)
        (line,) = record(run_dir, Warned("test", "a word"))
        assert line.startswith("! MLflow was not told: still delivering after 0.5 s. The journal has it all: ")
        assert line.endswith("`sda sync` delivers it once the store answers")
        assert sync_runs() == [f"{run_dir} (finished): still delivering after 0.5 s"]
    assert read_settings(run_dir).uri == uri


def test_a_server_does_not_say_how_long_to_wait_for_it(run_dir, monkeypatch):
    monkeypatch.delenv("MLFLOW_HTTP_RESPECT_RETRY_AFTER_HEADER", raising=False)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR", "0")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_BACKOFF_JITTER", "0")
    with _serve(_put_off) as uri:
        _track(run_dir, uri)
        assert "429" in deliver_in_time(run_dir, 60.0).problem


def test_a_delivery_in_time_says_what_went_wrong(tmp_path):
    assert deliver_in_time(tmp_path) == try_to_deliver(tmp_path)
