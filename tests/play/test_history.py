"""What was made with a run, read from its folders."""

import json

from sda.play.history import History, describe_sound
from sda.play.lookup import make_id
from tests.conftest import RATE_HZ


def test_sounds_of_both_places_are_found_the_newest_first(client, fake_run):
    client.make(seed=1)
    client.make(seed=2)
    history = History(fake_run.run_dir / "generated", fake_run.run_dir / "kept")
    found = history.read()
    assert [sound.folder.name for sound in found.values()] == ["sample_seed_2", "sample_seed_1"]
    assert all(key == make_id(sound.path) for key, sound in found.items())
    folder = history.keep(found[list(found)[1]])
    kept = history.read()[make_id(folder / "sound_001.wav")]
    assert kept.is_kept
    told = describe_sound("x", kept)
    assert (told["number"], told["duration_s"], told["is_kept"]) == (1, RATE_HZ / RATE_HZ, True)
    assert told["command"].startswith("python generate.py run=")
    history.forget(kept)
    assert [sound.is_kept for sound in history.read().values()] == [False, False]
    assert not folder.exists()


def test_a_sound_that_is_being_written_is_not_there_yet(client, fake_run):
    client.make(seed=1)
    path = fake_run.run_dir / "generated" / "sample_seed_1" / "generated.json"
    record = json.loads(path.read_text())
    del record["files"][0]["sha256"]
    path.write_text(json.dumps(record))
    assert History(fake_run.run_dir / "generated", fake_run.run_dir / "kept").read() == {}


def test_where_nothing_was_made_nothing_is_found(tmp_path):
    assert History(tmp_path / "generated", tmp_path / "kept").read() == {}
