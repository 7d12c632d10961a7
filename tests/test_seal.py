"""Seals: made by this installation alone, for one purpose, and whole or not there."""

import json
import os
import shutil
import stat
from concurrent.futures import ProcessPoolExecutor

import pytest

from sda.errors import SealError
from sda.seal import (
    KEY,
    RUN,
    SWEEP,
    compute_seal,
    holds,
    is_own,
    mark_own,
    name_purpose,
    read_origin,
    read_sealed,
    write_sealed,
)
from sda.tracking.delivery_state import TrackingSettings, is_tracked, write_settings


@pytest.fixture
def installation(tmp_path, monkeypatch):
    """Chooses the installation that the test goes on as."""

    def choose(name):
        monkeypatch.setenv("SDA_STATE_DIR", str(tmp_path / name))
        return tmp_path / name

    choose("ours")
    return choose


def test_what_was_sealed_is_read_back(installation, tmp_path):
    write_sealed(tmp_path / "a.json", "purpose", {"pending": [("a", "b")], "key": 1})
    assert read_sealed(tmp_path / "a.json", "purpose") == {"pending": [["a", "b"]], "key": 1}


def test_another_installation_another_purpose_and_another_value_do_not_hold(installation, tmp_path):
    path = tmp_path / "a.json"
    write_sealed(path, "purpose", {"uri": "sqlite:///own.db"})
    assert read_sealed(path, "another") is None
    values = json.loads(path.read_text())
    path.write_text(json.dumps(values | {"uri": "http://127.0.0.1:1"}))
    assert read_sealed(path, "purpose") is None
    path.write_text(json.dumps(values))
    installation("theirs")
    assert read_sealed(path, "purpose") is None


@pytest.mark.parametrize("content", ["", "{", "[]", "null", '{"seal": 3}', '{"seal": "ä"}', "[" * 100000])
def test_what_is_no_sealed_file_is_nothing(installation, tmp_path, content):
    (tmp_path / "a.json").write_text(content)
    assert read_sealed(tmp_path / "a.json", "purpose") is None


def test_a_folder_is_ones_own_until_it_is_somebody_elses(installation, tmp_path):
    assert not is_own(tmp_path)
    mark_own(tmp_path, config_sha256="a")
    first = read_origin(tmp_path)
    mark_own(tmp_path, config_sha256="b")
    assert read_origin(tmp_path) == first | {"config_sha256": "b"}
    installation("theirs")
    assert not is_own(tmp_path)


def test_nobody_else_can_read_the_secret(installation):
    folder = installation("new")
    compute_seal("purpose", {})
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / KEY).stat().st_mode) == 0o600


def test_a_secret_that_others_could_read_is_refused(installation):
    folder = installation("open")
    folder.mkdir()
    (folder / KEY).write_bytes(bytes(32))
    (folder / KEY).chmod(0o644)
    with pytest.raises(SealError, match=r"can be read by others.*chmod 600"):
        compute_seal("purpose", {})


@pytest.mark.parametrize("content", [b"", bytes(31), bytes(33)])
def test_a_damaged_secret_is_refused(installation, content):
    folder = installation("damaged")
    folder.mkdir(mode=0o700)
    descriptor = os.open(folder / KEY, os.O_CREAT | os.O_WRONLY, 0o600)
    os.write(descriptor, content)
    os.close(descriptor)
    with pytest.raises(SealError, match="is damaged"):
        compute_seal("purpose", {})


def test_a_folder_that_cannot_be_written_is_named(installation, tmp_path):
    (tmp_path / "file").touch()
    installation("file")
    with pytest.raises(SealError, match="SDA_STATE_DIR"):
        compute_seal("purpose", {})


def test_several_processes_make_one_secret(installation):
    installation("raced")
    with ProcessPoolExecutor(4) as pool:
        seals = set(pool.map(compute_seal, ["purpose"] * 8, [{}] * 8))
    assert len(seals) == 1
    assert holds(seals.pop(), "purpose", {})


def test_what_is_sealed_in_one_run_holds_in_no_other(installation, tmp_path):
    """A stranger who has had two runs of ours in his hands could mix them."""
    folders = [tmp_path / name for name in ("a", "b", "c")]
    for folder, kind in zip(folders, (RUN, RUN, SWEEP), strict=True):
        mark_own(folder, kind)
    assert len({name_purpose("tracking.json", folder, kind) for folder in folders for kind in (RUN, SWEEP)}) == 5
    write_settings(folders[0], TrackingSettings("sqlite:////a.db", "test", "run", {}, {}, {}, []))
    shutil.copy(folders[0] / "tracking.json", folders[1])
    assert (is_tracked(folders[0]), is_tracked(folders[1])) == (True, False)
    shutil.copy(folders[0] / "origin.json", folders[2])
    assert not is_own(folders[2], SWEEP)
