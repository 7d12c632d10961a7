"""Records of generated sound: commands, what is kept, what is forgotten."""

import hashlib
import json
import shlex
from pathlib import Path

import pytest

from sda.errors import DamagedError, DataError
from sda.runs.generated_record import (
    forget_sound,
    keep_sound,
    list_calls,
    list_whole,
    name_missing_source,
    read_record,
    tell_origin,
    write_command,
)


@pytest.fixture
def call(tmp_path) -> Path:
    """The folder of a call that made three sounds."""
    folder = tmp_path / "generated" / "vary_seed_7"
    folder.mkdir(parents=True)
    files = []
    for number in (1, 2, 3):
        content = f"sound {number}".encode()
        (folder / f"sound_{number:03d}.wav").write_bytes(content)
        digest = hashlib.sha256(content).hexdigest()
        files.append({"file": f"sound_{number:03d}.wav", "number": number, "sources": ["/a b/c.wav"], "sha256": digest})
    record = {
        "run": "/runs/it's", "checkpoint": "best", "mode": "vary", "seed": 7, "n": 3, "duration_s": 2.0, "noise": True,
        "strength": 0.25, "prior": {"name": "mosaic", "novelty": 0.1, "memory_s": 2.5, "temperature": 1.0},
        "source": "/a b/c.wav", "sample_rate_hz": 16000, "device": "cpu", "complete": True,
        "source_sha256": {"/a b/c.wav": "00"}, "files": files,
    }  # fmt: skip
    (folder / "generated.json").write_text(json.dumps(record))
    return folder


def test_a_command_has_every_key_of_its_mode(call):
    words = shlex.split(write_command(read_record(call), 2))
    assert words[:2] == ["python", "generate.py"]
    assert set(words[2:]) == {
        "run=/runs/it's", "mode=vary", "n=2", "seed=7", "duration_s=2.0", "noise=true", "strength=0.25", "novelty=0.1",
        "memory_s=2.5", "temperature=1.0", "source=/a b/c.wav", "checkpoint=best", "device=cpu",
    }  # fmt: skip
    record = read_record(call) | {"mode": "reconstruct", "checkpoint": "epoch_0010"}
    assert "strength" not in write_command(record, 1)
    assert "novelty" not in write_command(record, 1)
    assert "checkpoint=last" in write_command(record, 1)


def test_what_a_file_is_written_as_stands_in_its_command_where_it_was_chosen(call):
    record = read_record(call) | {"format": "wav16"}
    assert "format" not in write_command(record, 1)
    assert "sample_rate_hz" not in write_command(record, 1)
    chosen = record | {"format": "flac", "sample_rate_hz": 44100, "own_rate_hz": 16000}
    assert {"format=flac", "sample_rate_hz=44100"} <= set(write_command(chosen, 1).split())


def test_what_a_file_says_of_itself_names_no_folder(call):
    told = tell_origin(read_record(call) | {"epoch": 12, "data.root": "/home/someone/sounds"}, 2)
    origin, _, command = told.partition(": ")
    assert origin == "epoch 12, sound 2"
    assert {"run=it's", "source=c.wav", "n=2"} <= set(shlex.split(command))
    for folder in ("/runs", "/a b", "someone"):
        assert folder not in told


def test_a_source_that_is_gone_is_named(call):
    assert name_missing_source(read_record(call)) == "c.wav"
    assert name_missing_source({"source": str(call)}) == ""
    assert name_missing_source({"source": ""}) == ""


def test_a_sound_is_forgotten_and_the_record_says_so(call):
    forget_sound(call, 2)
    record = read_record(call)
    assert [file["number"] for file in record["files"]] == [1, 3]
    assert (record["complete"], record["forgotten"]) == (False, [2])
    assert sorted(path.name for path in call.iterdir()) == ["generated.json", "sound_001.wav", "sound_003.wav"]
    with pytest.raises(DataError, match="names no whole sound 2: it may have been forgotten already"):
        forget_sound(call, 2)
    forget_sound(call, 1)
    forget_sound(call, 3)
    assert not call.exists()


def test_what_is_not_ours_is_never_removed(call):
    (call / "mine.txt").write_text("a person's own")
    (call / "sound_002.wav").write_bytes(b"played over")
    with pytest.raises(DataError, match="was changed since, and is left as it is"):
        forget_sound(call, 2)
    assert (call / "sound_002.wav").read_bytes() == b"played over"
    (call / "sound_003.wav").unlink()
    with pytest.raises(DataError, match="cannot be read"):
        forget_sound(call, 3)
    forget_sound(call, 1)
    assert (call / "mine.txt").exists()
    record = read_record(call)
    record["files"][0]["file"] = "mine.txt"
    record["files"][0]["sha256"] = hashlib.sha256(b"a person's own").hexdigest()
    (call / "generated.json").write_text(json.dumps(record))
    with pytest.raises(DataError, match="names no whole sound 2"):
        forget_sound(call, 2)
    assert (call / "mine.txt").exists()


def test_a_sound_is_kept_with_its_record_and_nothing_is_written_over(call, tmp_path):
    first, second = (keep_sound(call, 2, tmp_path / "kept") for _ in range(2))
    assert [first.name, second.name] == ["vary_seed_7_sound_002", "vary_seed_7_sound_002-2"]
    assert (first / "sound_002.wav").read_bytes() == b"sound 2"
    record = read_record(first)
    assert [file["number"] for file in record["files"]] == [2]
    assert record["kept_from"] == str(call)
    assert record["source_sha256"] == {"/a b/c.wav": "00"}
    assert write_command(record, 2) == write_command(read_record(call), 2)
    (call / "sound_002.wav").write_bytes(b"played over")
    with pytest.raises(DataError, match="changed since"):
        keep_sound(call, 2, tmp_path / "kept")


def test_calls_are_listed_and_damaged_ones_passed_over(call, tmp_path, capsys):
    for name, content in (("begun", ""), ("broken", "{"), ("other", '{"files": 3}')):
        (call.parent / name).mkdir()
        (call.parent / name / "generated.json").write_text(content)
    (call.parent / "link").symlink_to(call)
    (call.parent / "empty").mkdir()
    listed = list(list_calls(call.parent))
    assert [folder for folder, _ in listed] == [call]
    assert [file["number"] for file in list_whole(listed[0][1])] == [1, 2, 3]
    told = capsys.readouterr().err
    assert "broken" in told
    assert "other" in told
    assert list(list_calls(tmp_path / "nowhere")) == []
    with pytest.raises(DamagedError):
        read_record(call.parent / "other")
