"""A run from somebody else is data: it can be used, and can neither write, send, read nor run anything."""

import contextlib
import json
import os
import shutil
import threading
from dataclasses import asdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from sda.errors import TrackingError
from sda.runs.sync import sync_runs
from sda.seal import compute_seal, is_own, mark_own
from sda.tracking.delivery_state import DeliveryState, TrackingSettings, read_settings, write_settings
from sda.training.checkpoint import MANIFEST, STATE, TENSORS, hash_file
from tests.verbs import TINY, CommandLine

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore"),  # MLflow's own imports and its database library warn of themselves
]

GENERATE = ("generate", "run=stranger", "n=1", "duration_s=0.3")


@pytest.fixture(scope="module")
def foreign_run(tmp_path_factory):
    """A run of two epochs by another installation, on sounds that lie beside it."""
    import numpy as np
    import soundfile

    from tests.conftest import RATE_HZ, tone

    folder = tmp_path_factory.mktemp("stranger")
    (folder / "sounds").mkdir()
    for number in range(6):
        soundfile.write(folder / "sounds" / f"{number}.wav", np.tile(tone(200 + 60 * number, 0.6), 2), RATE_HZ)
    elsewhere = {"SDA_STATE_DIR": str(folder / "state"), "SDA_CACHE_DIR": str(folder / "cache")}
    command_line = CommandLine(folder)
    command_line.run("train", f"data.root={folder / 'sounds'}", *TINY, "training.max_epochs=2", **elsewhere)
    return command_line.runs()[0]


@pytest.fixture
def stranger(foreign_run, command_line):
    """Its copy in the folder of a user of this installation."""
    folder = command_line.folder / "stranger"
    shutil.copytree(foreign_run, folder)
    return folder


@pytest.fixture
def use(stranger, command_line, sounds):
    """Lets each of the verbs meet the run: named, or among the runs that it looks through."""

    def use_by(verb: str, **environment: str) -> Path:
        if verb == "generate":
            command_line.run(*GENERATE, **environment)
            return stranger
        if verb == "evaluate":
            command_line.run("evaluate", "run=stranger", "n_generated=2", "max_clips=4", **environment)
            return stranger
        (command_line.folder / "runs").mkdir()
        moved = stranger.rename(command_line.folder / "runs" / "stranger")
        if verb == "train":
            command_line.run("train", sounds, *TINY, "training.max_epochs=1", **environment)
            return moved
        with contextlib.chdir(command_line.folder):
            assert sync_runs() == []
        return moved

    return use_by


@pytest.fixture
def listener():
    """A server on this machine that notes what is asked of it."""
    heard = []

    class Handler(BaseHTTPRequestHandler):
        def _answer(self):
            heard.append((self.command, self.path, self.headers.get("Authorization")))
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"{}")

        do_GET = do_POST = do_PUT = do_PATCH = _answer

        def log_message(self, *args):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", heard
    server.shutdown()
    server.server_close()
    thread.join()


def instruct(run_dir: Path, uri: str, **state) -> None:
    """Write into a run's folder to which store it is delivered, and which files."""
    sounds = {"name": "sounds", "digest": "abc", "source": "{}", "profile": "{}"}
    settings = TrackingSettings(uri, "test", "run", {}, {}, sounds, ["manifest.json"])
    (run_dir / "tracking.json").write_text(json.dumps(asdict(settings)))
    (run_dir / "tracking_state.json").write_text(json.dumps(asdict(DeliveryState(**state))))


def list_tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def edit_config(run_dir: Path, section: str, **values: str) -> None:
    """Change a section of a checkpoint's configuration, under a manifest that fits."""
    for folder in (run_dir / "checkpoints").iterdir():
        state = json.loads((folder / STATE).read_text())
        state["config"][section] |= values
        (folder / STATE).write_text(json.dumps(state))
        hashes = {name: hash_file(folder / name) for name in (TENSORS, STATE)}
        (folder / MANIFEST).write_text(json.dumps(hashes))


@pytest.mark.parametrize("verb", ["generate", "evaluate", "sync", "train"])
def test_a_store_that_a_run_brings_along_is_not_written_to(stranger, use, store, tmp_path, verb):
    from mlflow import MlflowClient

    target = tmp_path / "site-packages"
    target.mkdir()
    shutil.copy(stranger.parent / "mlflow.db", stranger / "brought.db")
    uri = f"sqlite:///{stranger / 'brought.db'}"
    client = MlflowClient(tracking_uri=uri)
    run = client.create_run(client.create_experiment("test", artifact_location=target.as_uri()))
    (stranger / "evil.pth").write_text("import os")
    instruct(stranger, uri, run_id=run.info.run_id, introduced=True, pending=[(str(stranger / "evil.pth"), "")])
    before = list_tree(stranger)
    met = use(verb)
    assert not list(target.iterdir())
    assert list_tree(met) == before


@pytest.mark.parametrize("verb", ["generate", "evaluate", "sync", "train"])
def test_a_server_that_a_run_names_is_not_asked(stranger, use, listener, tmp_path, verb):
    uri, heard = listener
    secret = tmp_path / "secret.txt"
    secret.write_text("secret")
    instruct(stranger, uri, run_id="a" * 32, introduced=True, pending=[(str(secret), "")])
    login = {"MLFLOW_TRACKING_USERNAME": "ada", "MLFLOW_TRACKING_PASSWORD": "lovelace"}
    use(verb, **login)
    assert heard == []


def test_a_copied_seal_does_not_hold_for_other_instructions(stranger, listener):
    uri, _ = listener
    genuine = stranger.parent / "genuine"
    genuine.mkdir()
    sounds = {"name": "sounds", "digest": "abc", "source": "{}", "profile": "{}"}
    settings = TrackingSettings("sqlite:////own.db", "test", "run", {}, {}, sounds, [])
    write_settings(genuine, settings)
    assert read_settings(genuine).uri == "sqlite:////own.db"
    values = json.loads((genuine / "tracking.json").read_text())
    (genuine / "tracking.json").write_text(json.dumps(values | {"uri": uri}))
    with pytest.raises(TrackingError, match="not begun here"):
        read_settings(genuine)
    assert compute_seal("one", values) != compute_seal("another", values)


@pytest.mark.parametrize(
    ("name", "is_ours"),
    [
        *((name, True) for name in ("events.jsonl", "summary.json", "tracking_state.json", ".lock", "generated")),
        *((name, False) for name in ("events.jsonl", "previews")),
    ],
)
def test_links_in_a_run_are_named_and_followed_by_no_one(stranger, command_line, use, name, is_ours):
    """Even where a stranger could give us our own run back, with links in it."""
    outside = command_line.folder.parent / "outside"
    if name in ("generated", "previews"):
        outside.mkdir()
        (outside / "sample_001.wav").write_bytes(b"mine, without an end of line")
    else:
        outside.write_bytes(b"mine, without an end of line")
    if is_ours:
        (stranger / "origin.json").unlink()
        mark_own(stranger)
    link = stranger / name
    shutil.rmtree(link) if link.is_dir() else link.unlink(missing_ok=True)
    link.symlink_to(outside)
    before = list_tree(outside) if outside.is_dir() else outside.read_bytes()
    assert is_own(stranger) is is_ours
    command_line.run(*GENERATE, code=1)
    command_line.run("train", "resume=stranger", "data.root=sounds", code=1)
    use("sync")
    assert (list_tree(outside) if outside.is_dir() else outside.read_bytes()) == before


def test_a_pipe_in_the_place_of_tensors_is_named_and_nobody_waits(stranger, command_line):
    for folder in (stranger / "checkpoints").iterdir():
        (folder / TENSORS).unlink()
        os.mkfifo(folder / TENSORS)
    assert "no regular file" in command_line.run(*GENERATE, code=1)


def test_what_a_checkpoint_says_is_not_resolved_a_second_time(stranger, command_line, foreign_run):
    secret = "${oc.env:SECRET}"
    edit_config(stranger, "preset", name=secret)
    edit_config(stranger, "data", cache_dir="${count_files:/etc,0.1,-80,,16000}")
    sounds = f"data.root={foreign_run.parents[2] / 'sounds'}"
    command_line.run("train", "resume=stranger", sounds, "training.max_epochs=3", "tracking=none", SECRET="swordfish")
    (run_dir,) = command_line.runs()
    written = "".join(
        path.read_text(errors="replace") for path in run_dir.rglob("*") if path.suffix in (".yaml", ".json")
    )
    assert "swordfish" not in written
    assert secret in (run_dir / ".hydra" / "config.yaml").read_text()
    assert not (command_line.folder / "0").exists()


def test_the_places_that_a_stranger_names_are_not_used(stranger, command_line, foreign_run, tmp_path):
    edit_config(stranger, "data", cache_dir=str(tmp_path / "named"))
    command_line.run("evaluate", "run=stranger", "n_generated=2", "max_clips=4")
    assert not (tmp_path / "named").exists()


def test_a_strangers_run_goes_on_as_a_run_of_ones_own(stranger, command_line, foreign_run, store):
    before = list_tree(stranger)
    assert "data.root=" in command_line.run("train", "resume=stranger", code=1)
    sounds = f"data.root={foreign_run.parents[2] / 'sounds'}"
    told = command_line.run("train", "resume=stranger", sounds, "training.max_epochs=3")
    assert "another installation's" in told
    assert list_tree(stranger) == before
    (run_dir,) = command_line.runs()
    assert is_own(run_dir)
    losses = command_line.query("SELECT step FROM metrics WHERE key = '1_loss/val_loss' ORDER BY step")
    assert losses == [(1,), (2,), (3,)]
    command_line.run("train", "resume=last", "training.max_epochs=4")
    assert command_line.runs() == [run_dir]
    # One begun and ended here, of the same three epochs, comes to the same.
    untouched = CommandLine(command_line.folder / "untouched")
    untouched.folder.mkdir()
    untouched.run("train", sounds, *TINY, "training.max_epochs=2", "tracking=none")
    untouched.run("train", "resume=last", "training.max_epochs=3")
    ours, theirs = (
        json.loads((path / "history.json").read_text())["epoch_metrics"]["val_loss"][:3]
        for path in (run_dir, *untouched.runs())
    )
    assert ours == theirs
