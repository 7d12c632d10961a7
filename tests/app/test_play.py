"""`play.py`: the server as a user starts it, and runs as the page uses them."""

import gc
import hashlib
import io
import json
import os
import shlex
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from sda.app.play import tell_of_kept
from sda.app.played_run import open_for_page
from sda.config.verbs import GenerateConfig, GenerateMode, WhichCheckpoint
from sda.generation import controls
from sda.play.session import Session
from tests.conftest import RATE_HZ, tone
from tests.play.serving import find_port, serve
from tests.verbs import PROJECT, TINY, CommandLine

pytestmark = pytest.mark.slow

MODES = {
    "sample": {"novelty": 0.4},
    "continue": {},
    "vary": {"strength": 0.25},
    "blend": {"share": 0.3},
    "loop": {"noise": False},
    "reconstruct": {},
    "interpolate": {},
}


def _open(run_dir: Path, which: WhichCheckpoint = WhichCheckpoint.best):
    return open_for_page(run_dir, "cpu", which)


@pytest.fixture
def run_dir(trained, monkeypatch):
    monkeypatch.chdir(trained.folder)
    (run_dir,) = trained.runs()
    return run_dir


def _hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_every_mode_is_made_again_to_the_bit_by_its_command(trained, run_dir):
    with serve(Session(_open, run_dir)) as client:
        assert client.open()["state"] == "done"
        told = client.ask("GET", "/api/runs/RUN").json
        assert [mode["name"] for mode in told["modes"]] == [mode.name for mode in GenerateMode]
        assert told["sources"], "what the run held out"
        made = {}
        for mode, settings in MODES.items():
            job = client.make(mode=mode, duration_s=0.5, seed=3, **settings)
            assert job["state"] == "done", job["words"]
            made[mode] = job["made"][0]
        held_out = told["sources"][0]["id"]
        made["given"] = client.make(mode="vary", duration_s=0.5, seed=4, sources=[held_out])["made"][0]
        sounds = {sound["id"]: sound for sound in client.sounds()}
    for number, key in enumerate(made.values()):
        sound = sounds[key]
        folder = run_dir / "generated" / sound["title"].partition(",")[0]
        python, script, *arguments = shlex.split(sound["command"])
        assert (python, script) == ("python", "generate.py")
        trained.run("generate", *arguments, f"output=again-{number}")
        again = trained.folder / f"again-{number}" / "sound_001.wav"
        assert _hash(again) == _hash(folder / "sound_001.wav"), sound["command"]


def test_what_one_call_asks_does_not_stay_for_the_next(run_dir):
    opened = _open(run_dir)

    def make(**settings):
        config = GenerateConfig(run=str(run_dir), n=1, duration_s=0.5, **settings)
        return _hash(opened.generate(config, lambda sounds, n: sounds) / "sound_001.wav")

    plain = make()
    assert make(noise=False, novelty=1.0, temperature=0.3, memory_s=0.5) != plain
    assert make() == plain


def test_fifty_sounds_leave_nothing_in_memory(run_dir):
    opened = _open(run_dir)

    def make(number):
        config = GenerateConfig(run=str(run_dir), n=1, duration_s=0.3, seed=number, mode=list(GenerateMode)[number % 7])
        opened.generate(config, lambda sounds, n: sounds)

    def count():
        gc.collect()
        tensors = [one for one in gc.get_objects() if issubclass(type(one), torch.Tensor)]
        return len(tensors), sum(one.nbytes for one in tensors), len(os.listdir("/dev/fd"))

    for number in range(7):  # what is made once and kept
        make(number)
    before = count()
    for number in range(50):
        make(number)
    assert count() == before


def test_a_strangers_run_is_played_without_a_trace_in_it(trained, run_dir, voice):
    stranger = trained.folder.parent / "stranger"
    run_dir.rename(stranger)
    (stranger / "origin.json").unlink()
    before = {path: path.stat().st_mtime_ns for path in stranger.rglob("*")}
    with serve(Session(_open, stranger)) as client:
        assert client.open()["state"] == "done"
        told = client.ask("GET", "/api/runs/RUN").json
        assert told["sources"] == []
        assert told["recordings"] == {}
        job = client.make(mode="vary")
        assert job["state"] == "failed"
        assert "was not begun by this installation" in job["words"]
        given = client.ask("POST", "/api/uploads?name=voice.wav", voice.read_bytes()).json["id"]
        assert client.make(mode="vary", sources=[given])["state"] == "done"
        (sound,) = client.sounds()
        client.ask("POST", f"/api/runs/RUN/sounds/{sound['id']}/keep", {})
    assert {path: path.stat().st_mtime_ns for path in stranger.rglob("*")} == before
    assert (trained.folder / "generated" / "stranger" / "vary_seed_0" / "sound_001.wav").exists()
    assert (trained.folder / "kept" / "stranger" / "vary_seed_0_sound_001" / "sound_001.wav").exists()


@pytest.fixture
def voice(tmp_path):
    soundfile.write(tmp_path / "voice.wav", tone(500, 1.0), RATE_HZ)
    return tmp_path / "voice.wav"


def test_what_is_kept_is_told_to_the_journal(trained, run_dir):
    with serve(Session(_open, run_dir, tell=tell_of_kept)) as client:
        client.open()
        (made,) = client.make(duration_s=0.3)["made"]
        client.ask("POST", f"/api/runs/RUN/sounds/{made}/keep", {})
        deadline = time.monotonic() + 60
        while not (told := trained.events(run_dir, "Generated")):
            assert time.monotonic() < deadline
            time.sleep(0.05)
    (event,) = told
    assert event["folder"] == str(run_dir / "kept" / "sample_seed_0_sound_001")
    assert [Path(path).name for path in event["audio_paths"]] == ["sound_001.wav"]


def _ask(port: int) -> bytes:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=30) as answer:
        return answer.read()


def test_it_is_there_soon_and_ends_in_order(trained, tmp_path):
    port = find_port()
    environment = {"TMPDIR": str(tmp_path)}
    server = subprocess.Popen(
        [sys.executable, str(PROJECT / "play.py"), f"port={port}"],
        cwd=trained.folder, env=os.environ | environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    deadline = time.monotonic() + 120
    while True:
        try:
            assert b"<title>sda: play</title>" in _ask(port)
            break
        except (urllib.error.URLError, OSError):
            assert server.poll() is None, server.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.05)
    text = trained.run("play", f"port={port}", code=1)
    assert text == (
        f"error: port={port} cannot be had (Address already in use): another page may be served there. "
        f"Give another one: port={port + 1}\n"
    )
    assert list(tmp_path.glob("sda-play-*"))
    server.send_signal(signal.SIGINT)
    told, _ = server.communicate(timeout=60)
    assert server.returncode == 0
    assert told == f"open http://127.0.0.1:{port} (Ctrl-C ends it)\nended\n"
    assert not list(tmp_path.glob("sda-play-*"))


def test_only_this_machine_is_listened_to(trained, run_dir):
    with serve(Session(_open, run_dir)) as client, socket.socket() as other:
        other.settimeout(5)
        assert other.connect_ex(("127.0.0.2", client.port)) != 0


@pytest.mark.parametrize("arguments", [["--help"], ["run=/nowhere"], ["port=0"], ["prt=1"]])
def test_help_and_mistakes_import_neither_torch_nor_mlflow(tmp_path, arguments):
    code = (
        "import atexit, sys\n"
        "atexit.register(lambda: print('HEAVY', sorted({'torch', 'mlflow', 'torchaudio'} & set(sys.modules))))\n"
        f"sys.argv = ['play.py', *{arguments!r}]\n"
        "from sda.app.command_line import play\n"
        "play()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert "HEAVY []" in done.stdout
    assert "Traceback" not in done.stderr


def test_serving_imports_no_torch_before_a_run_is_opened():
    code = "import sys, sda.app.play; print(sorted({'torch', 'mlflow', 'torchaudio', 'matplotlib'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_a_record_of_the_page_is_that_of_the_command_line(trained: CommandLine, run_dir):
    opened = _open(run_dir)
    folder = opened.generate(GenerateConfig(run=str(run_dir), n=2, duration_s=0.3, seed=9), lambda sounds, n: sounds)
    trained.run("generate", f"run={run_dir}", "n=2", "duration_s=0.3", "seed=9", "device=cpu", "output=there")
    records = [json.loads((one / "generated.json").read_text()) for one in (folder, trained.folder / "there")]
    assert records[0] == records[1]


def _read_level_db(client, sound):
    """RMS of a sound as it is downloaded, dBFS."""
    answer = client.ask("GET", f"/api/runs/RUN/sounds/{sound}/wav")
    waveform, _ = soundfile.read(io.BytesIO(answer.body))
    return 10 * np.log10(np.square(waveform).mean())


def test_controls_are_tried_turned_and_heard_and_the_map_is_walked_on(command_line, sounds, monkeypatch):
    settings = [setting for setting in TINY if not setting.startswith("model=")]
    command_line.run("train", sounds, *settings, "model=spectral_vae", "training.max_epochs=2", "tracking=none")
    (run_dir,) = command_line.runs()
    monkeypatch.chdir(command_line.folder)
    monkeypatch.setattr(controls, "N_PATHS", 8)
    with serve(Session(_open, run_dir)) as client:
        client.open()
        told = client.ask("GET", "/api/runs/RUN").json
        assert told["can_try_controls"]
        assert told["controls"] == []
        tried = client.follow(client.ask("POST", "/api/runs/RUN/controls", {"tab": "one"}))
        assert tried["state"] == "done", tried["words"]
        told = client.ask("GET", "/api/runs/RUN").json
        assert not told["can_try_controls"]
        level = next(one for one in told["controls"] if one["name"].startswith(("level", "axis 1")))
        plain, quieter = (
            client.make(duration_s=1, seed=5, **turned)["made"][0] for turned in ({}, {level["key"]: "-6"})
        )
        assert _read_level_db(client, quieter) - _read_level_db(client, plain) == pytest.approx(-6.0, abs=1.0)
        command = next(one["command"] for one in client.sounds() if one["id"] == quieter)
        assert f"{level['key']}=-6" in command
        refused = client.ask("POST", "/api/runs/RUN/controls", {"tab": "one"})
        assert refused.code != 200

        places = client.ask("GET", "/api/runs/RUN/map").json["places"]
        assert {place["side"] for place in places} == {"train", "held_out"}
        walk = [[place["x"], place["y"]] for place in places if place["side"] == "train"][:3]
        body = {"settings": {"n": 1, "duration_s": 1.0}, "sources": [], "tab": "one", "walk": walk}
        walked = client.follow(client.ask("POST", "/api/runs/RUN/jobs", body))
        assert walked["state"] == "done", walked["words"]
        assert "mode=walk" in client.sounds()[0]["command"]
        given = told["sources"][0]["id"]
        moved = client.make(mode="transfer", duration_s=1.0, sources=[given])
        assert moved["state"] == "done", moved["words"]
    assert (run_dir / "controls.json").is_file()
