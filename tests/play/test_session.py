"""Runs, the one model in memory, drafts, what is stopped."""

import gc
import weakref

import pytest

from sda.errors import CheckpointError
from sda.play.session import Session
from tests.play.serving import FakeRun, serve


def test_there_is_never_more_than_one_model(fake_run, monkeypatch):
    other_dir = fake_run.run_dir.with_name("two")
    other_dir.mkdir()
    (other_dir / "summary.json").write_text('{"status": "finished", "active_at": 2.0}')
    alive: list[weakref.ref] = []

    def open_run(run_dir, which):
        gc.collect()
        assert [ref for ref in alive if ref() is not None] == [], "the former model is still there"
        opened = FakeRun(run_dir).open()
        alive.append(weakref.ref(opened))
        return opened

    session = Session(open_run, fake_run.run_dir)
    with serve(session) as client:
        ids = {run["name"]: run["id"] for run in client.ask("GET", "/api/runs").json["runs"]}
        assert list(ids) == ["today/one", "today/two"]
        for name in ("today/one", "today/two", "today/one"):
            client.run = ids[name]
            assert client.open()["state"] == "done"
            assert client.make(seed=1)["state"] == "done"
        client.run = ids["today/two"]
        assert len(client.sounds()) == 1, "what was made is known while another run is open"
    assert len(alive) == 3


def test_a_run_that_cannot_be_opened_says_why(fake_run):
    def open_run(run_dir, which):
        raise CheckpointError("it has no usable checkpoint: train it")

    with serve(Session(open_run, fake_run.run_dir)) as client:
        job = client.open()
        assert (job["state"], job["words"]) == ("failed", "it has no usable checkpoint: train it")
        assert client.ask("GET", "/api/runs/RUN").json["is_open"] is False
        assert client.ask("GET", "/api/runs/RUN/sounds").code == 404


def test_a_run_with_a_link_in_it_is_refused(fake_run, client, session):
    (fake_run.run_dir / "link").symlink_to("/etc")
    session._opened_id = ""
    job = client.open()
    assert job["state"] == "failed"
    assert "is a symbolic link" in job["words"]


def test_a_draft_takes_the_place_of_the_draft_before(client):
    kept = client.make(seed=1)["made"]
    first = client.make(seed=1, novelty=0.2, is_draft=True, replaces=kept[0])["made"]
    assert {sound["id"] for sound in client.sounds()} == {*kept, *first}, "what was made on purpose stays"
    second = client.make(seed=1, novelty=0.3, is_draft=True, replaces=first[0])["made"]
    assert {sound["id"] for sound in client.sounds()} == {*kept, *second}
    client.ask("POST", f"/api/runs/RUN/sounds/{second[0]}/keep", {})
    client.make(seed=1, novelty=0.4, is_draft=True, replaces=second[0])
    assert second[0] in {sound["id"] for sound in client.sounds()}, "a draft that was kept is none"


def test_a_job_that_is_stopped_leaves_whole_sounds_alone(client, fake_run):
    fake_run.may_go_on.clear()
    body = {"settings": {"mode": "sample", "n": 3, "seed": 5}}
    job = client.ask("POST", "/api/runs/RUN/jobs", body)
    assert fake_run.is_waiting.wait(30)
    assert client.ask("GET", f"/api/jobs/{job.json['id']}").json["state"] == "running"
    client.ask("DELETE", f"/api/jobs/{job.json['id']}")
    fake_run.may_go_on.set()
    assert client.follow(job)["state"] == "stopped"
    assert client.sounds() == []
    assert not (fake_run.run_dir / "generated" / "sample_seed_5").exists()


def test_a_moved_control_stops_what_its_last_place_asked_for(client, fake_run):
    fake_run.may_go_on.clear()
    body = {"settings": {"mode": "sample", "n": 1, "seed": 5}, "tab": "one", "is_draft": True}
    first = client.ask("POST", "/api/runs/RUN/jobs", body)
    assert fake_run.is_waiting.wait(30)
    second = client.ask("POST", "/api/runs/RUN/jobs", body | {"settings": {"mode": "sample", "n": 1, "novelty": 0.9}})
    fake_run.may_go_on.set()
    assert client.follow(first)["state"] == "superseded"
    assert client.follow(second)["state"] == "done"
    assert len(client.sounds()) == 1


def test_two_pages_make_sounds_one_after_the_other(client):
    for tab in ("one", "two"):
        assert client.make(tab=tab, seed=1)["state"] == "done"
    assert [sound["title"] for sound in client.sounds()] == ["sample_seed_1-2, 1", "sample_seed_1, 1"]


def test_what_could_not_be_told_is_said(fake_run):
    session = Session(
        lambda run_dir, which: fake_run.open(), fake_run.run_dir, tell=lambda run_dir, folder: [f"! {folder.name}"]
    )
    with serve(session) as client:
        client.open()
        (sound,) = client.make(seed=1)["made"]
        folder = client.ask("POST", f"/api/runs/RUN/sounds/{sound}/keep", {}).json["folder"]
        assert folder == str(fake_run.run_dir / "kept" / "sample_seed_1_sound_001")
        assert client.ask("GET", "/api/runs/RUN/sounds").json["notices"] == ["! sample_seed_1_sound_001"]


@pytest.mark.parametrize("n", [3])
def test_two_sounds_are_given_as_a_folder_and_three_are_too_many(client, fake_run, n):
    made = client.make(seed=1, n=n)["made"]
    assert client.make(mode="blend", sources=made[:2])["state"] == "done"
    assert not fake_run.asked[-1].source.endswith(".wav")
    answer = client.ask("POST", "/api/runs/RUN/jobs", {"settings": {}, "sources": made})
    assert answer.json["error"] == "3 sounds are too many to start from: choose one, or two."
