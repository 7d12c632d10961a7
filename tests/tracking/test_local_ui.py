"""Whether the page that a run prints is there to be opened."""

import socket
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from sda.tracking.local_ui import is_shown

RUN = "0123456789abcdef" * 2


@pytest.fixture
def server():
    """Knows one run, as MLflow does."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200 if self.path == f"/api/2.0/mlflow/runs/get?run_id={RUN}" else 404)
            self.end_headers()

        def log_message(self, *arguments):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


def _link(port: int, run_id: str = RUN, host: str = "127.0.0.1") -> str:
    return f"http://{host}:{port}/#/experiments/1/runs/{run_id}?workflowType=machine_learning"


def test_a_page_whose_server_knows_the_run_is_there(server):
    assert is_shown(_link(server), deadline_s=60.0)


def test_a_sweeps_page_is_known_by_its_parent(server):
    link = (
        f"http://127.0.0.1:{server}/#/experiments/1/runs?searchFilter=tags.%60mlflow.parentRunId%60%20%3D%20%27{RUN}%27"
    )
    assert is_shown(link, deadline_s=60.0)


def test_a_server_that_knows_another_project_is_not_it(server):
    assert not is_shown(_link(server, "f" * 32), deadline_s=60.0)


def test_where_nothing_listens_nothing_is_shown():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    assert not is_shown(_link(port), deadline_s=60.0)


def test_what_listens_and_says_nothing_is_left(server):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        assert not is_shown(_link(silent.getsockname()[1]), deadline_s=0.1)


def test_no_other_machine_is_asked(server):
    assert not is_shown(_link(server, host="team.example"), deadline_s=60.0)
