"""What is asked under which address, and what is answered."""

import io
import json

import numpy as np
import pytest
import soundfile
from PIL import Image

from tests.conftest import RATE_HZ, tone
from tests.play.serving import FADER, PLACES

TRAVERSALS = (
    "..", "../..", "%2e%2e", "..%2f..%2fsummary.json", "%2fetc%2fpasswd", "....//", "sound_001.wav", "..%5c..%5cx",
    "%00",
)  # fmt: skip


def test_runs_are_listed_with_the_one_that_was_named(client):
    runs = [{"id": client.run, "name": "today/one", "is_chosen": True}]
    assert client.ask("GET", "/api/runs").json == {"runs": runs, "command": "python play.py"}


def test_a_run_says_what_a_form_needs(client):
    told = client.ask("GET", "/api/runs/RUN").json
    assert told["is_open"]
    assert told["modes"] == [
        {"name": "sample", "n_sources": 0}, {"name": "vary", "n_sources": 1}, {"name": "blend", "n_sources": 2}
    ]  # fmt: skip
    assert told["controls"] == [FADER]
    assert next(key for key in told["keys"] if key["key"] == "novelty")["default"] == 0.1
    assert [(source["name"], source["kind"]) for source in told["sources"]] == [("rain.wav", "held_out")]
    assert told["has_map"]
    assert client.ask("GET", "/api/runs/RUN/map").json == {"places": PLACES}


def test_a_sound_is_made_listed_heard_and_seen(client, fake_run):
    job = client.make(seed=7, n=2)
    assert (job["state"], job["n"], job["number"], job["made_s"]) == ("done", 2, 2, 1.0)
    sounds = {sound["id"]: sound for sound in client.sounds()}
    assert list(sounds) == job["made"][::-1], "the newest first"
    sound = client.ask("GET", f"/api/runs/RUN/sounds/{job['made'][0]}").json
    assert sound["title"] == "sample_seed_7, 1"
    assert sound["duration_s"] == 1.0
    assert sound["settings"]["seed"] == 7
    wav = client.ask("GET", f"/api/runs/RUN/sounds/{sound['id']}/wav")
    assert wav.headers["content-type"] == "audio/wav"
    assert wav.body == (fake_run.run_dir / "generated" / "sample_seed_7" / "sound_001.wav").read_bytes()
    picture = client.ask("GET", f"/api/runs/RUN/sounds/{sound['id']}/picture")
    assert Image.open(io.BytesIO(picture.body)).size == (900, 160)


def test_what_was_made_is_there_after_a_restart(client, session, fake_run):
    from sda.play.session import Session
    from tests.play.serving import serve

    made = client.make(seed=3)["made"]
    other = Session(lambda run_dir, which: fake_run.open(), fake_run.run_dir)
    with serve(other) as again:
        again.open()
        assert [sound["id"] for sound in again.sounds()] == made


def test_a_wrong_request_is_answered_in_words(client):
    for body, words in (
        ({"settings": {"mode": "vary", "strength": 3}}, "strength=3.0 is out of range"),
        ({"settings": {"zzz": 3}}, "zzz is no key that the page may give"),
        ({}, "the request is no set of keys and values"),
        ([], "The request is no set of names and values"),
        (b"{", "The request is no JSON"),
        (b"[" * 60000, "The request is no JSON"),
        ({"settings": {}, "sources": "x"}, "sources is no list"),
        ({"settings": {}, "walk": [[0, "x"]]}, "walk is no path: give up to 64 pairs of numbers"),
        ({"settings": {"n": 2}, "is_draft": True}, "n=2 is not for drafts"),
    ):
        answer = client.ask("POST", "/api/runs/RUN/jobs", body)
        assert (answer.code, answer.json["error"][: len(words)]) == (400, words)
    assert client.ask("POST", "/api/runs/RUN/jobs", {"settings": {}, "sources": ["zzz"]}).code == 404


@pytest.mark.parametrize("path", TRAVERSALS)
def test_no_address_becomes_a_path(client, fake_run, path):
    client.make(seed=1)
    (fake_run.run_dir.parent / "secret.wav").write_bytes(b"secret")
    for address in (
        f"/{path}", f"/api/runs/{path}", f"/api/runs/RUN/sounds/{path}", f"/api/runs/RUN/sounds/{path}/wav",
        f"/api/runs/RUN/sounds/{path}/picture", f"/api/runs/RUN/pieces/{path}", f"/api/jobs/{path}",
    ):  # fmt: skip
        answer = client.ask("GET", address)
        assert answer.code in (404, 405), address
        assert b"root:" not in answer.body
    for address in (f"/api/runs/RUN/sounds/{path}", f"/api/uploads/{path}", f"/api/jobs/{path}"):
        assert client.ask("DELETE", address).code in (404, 405)
    assert (fake_run.run_dir / "generated" / "sample_seed_1" / "sound_001.wav").exists()


def test_a_link_among_the_sounds_is_not_followed(client, fake_run, tmp_path):
    client.make(seed=1)
    (tmp_path / "secret.wav").write_bytes(b"RIFF secret")
    path = fake_run.run_dir / "generated" / "sample_seed_1" / "sound_001.wav"
    (sound,) = client.sounds()
    path.unlink()
    path.symlink_to(tmp_path / "secret.wav")
    for what in ("wav", "picture"):
        assert client.ask("GET", f"/api/runs/RUN/sounds/{sound['id']}/{what}").code in (404, 409)
    assert client.sounds() == []


def test_a_record_cannot_name_another_file(client, fake_run, tmp_path):
    client.make(seed=1)
    record_path = fake_run.run_dir / "generated" / "sample_seed_1" / "generated.json"
    record = json.loads(record_path.read_text())
    for name in ("../../../../summary.json", "/etc/passwd", "generated.json", "sound_001.wav/../x"):
        record["files"][0]["file"] = name
        record_path.write_text(json.dumps(record))
        assert client.sounds() == []


def test_a_sound_is_given_heard_and_started_from(client, fake_run, voice):
    answer = client.ask("POST", "/api/uploads?name=my%20voice.flac", voice.read_bytes())
    given = answer.json
    assert given["name"] == "my voice.flac"
    assert given["id"] in [source["id"] for source in client.ask("GET", "/api/runs/RUN").json["sources"]]
    assert client.make(mode="vary", strength=0.1, sources=[given["id"]])["state"] == "done"
    source = fake_run.asked[-1].source
    assert source.endswith("my voice.flac")
    (sound,) = client.sounds()
    assert client.ask("GET", f"/api/runs/RUN/sounds/{sound['id']}").json["given"] == [given["id"]]
    assert sound["missing_source"] == ""
    piece = client.ask("GET", f"/api/runs/RUN/pieces/{given['id']}?start_s=0.5&length_s=0.25")
    heard, rate_hz = soundfile.read(io.BytesIO(piece.body))
    assert (len(heard), rate_hz) == (RATE_HZ // 4, RATE_HZ)
    assert np.abs(heard - tone(500, 1.5)[RATE_HZ // 2 :][: RATE_HZ // 4]).max() < 1e-3
    assert client.ask("DELETE", f"/api/uploads/{given['id']}").code == 200
    (sound,) = client.sounds()
    assert sound["missing_source"] == "my voice.flac"


def test_a_file_that_is_no_sound_is_refused_in_words(client):
    answer = client.ask("POST", "/api/uploads?name=notes.wav", b"only words" * 100)
    assert answer.code == 400
    assert answer.json["error"].startswith("notes.wav: cannot be read as sound")


@pytest.mark.parametrize(
    "query", ["start_s=x", "start_s=nan", "start_s=-1", "length_s=0", "length_s=61", "start_s=1e9"]
)
def test_a_piece_is_refused_where_there_is_none(client, query):
    source = client.ask("GET", "/api/runs/RUN").json["sources"][0]["id"]
    assert client.ask("GET", f"/api/runs/RUN/pieces/{source}?{query}").code == 400
    answer = client.ask("GET", f"/api/runs/RUN/pieces/{source}?start_s=5")
    assert (answer.code, answer.json["error"]) == (400, "rain.wav ends before 5 s.")


def test_a_walk_is_made_of_a_path_on_the_map(client, fake_run):
    body = {"settings": {"mode": "sample", "n": 1}, "walk": [[0, 0], [1, 2], [0.5, 1]]}
    assert client.follow(client.ask("POST", "/api/runs/RUN/jobs", body))["state"] == "done"
    assert fake_run.asked[-1].novelty == 0.3
