"""Sounds that are given: taken, refused, removed."""

import asyncio
import stat

import numpy as np
import pytest
import soundfile

from sda.errors import DataError
from sda.play.lookup import UnknownError
from sda.play.uploads import MOST_UPLOADS, Uploads, make_safe
from tests.conftest import RATE_HZ, tone


@pytest.fixture
def uploads():
    one = Uploads()
    yield one
    one.close()


def give(uploads, name, content):
    async def come():
        for start in range(0, len(content), 1000):
            yield content[start : start + 1000]

    return asyncio.run(uploads.add(name, come()))


def test_a_sound_is_there_until_the_end(uploads, voice):
    key = give(uploads, "voice.flac", voice.read_bytes())
    one = uploads[key]
    assert one.path.read_bytes() == voice.read_bytes()
    assert one.duration_s == pytest.approx(1.5)
    assert stat.S_IMODE(one.path.parents[1].stat().st_mode) == 0o700
    uploads.close()
    assert not one.path.parents[1].exists()


def test_a_sound_is_removed(uploads, voice):
    key = give(uploads, "voice.flac", voice.read_bytes())
    path = uploads[key].path
    uploads.remove(key)
    assert not path.parent.exists()
    assert key not in uploads
    with pytest.raises(UnknownError, match="no such sound"):
        uploads.remove(key)


@pytest.mark.parametrize("name", ["../../evil.flac", "/etc/evil.flac", "..\\evil.flac", "a/../evil.flac"])
def test_a_name_leads_nowhere(uploads, voice, name):
    path = uploads[give(uploads, name, voice.read_bytes())].path
    assert path.name == "evil.flac"
    assert path.parents[1] == uploads._folder
    assert make_safe("\u202ea\nb;.wav") == "_a_b_.wav"


def test_what_is_no_sound_is_refused_and_leaves_nothing(uploads, tmp_path):
    soundfile.write(tmp_path / "long.flac", np.zeros(1000 * 601, np.float32), 1000)
    for name, content, words in (
        ("notes.txt", b"words", "notes.txt: such files cannot be read. Give one of aif"),
        ("", b"", "such files cannot be read"),
        ("notes.wav", b"only words" * 50, "notes.wav: cannot be read as sound"),
        ("empty.wav", b"", "empty.wav: cannot be read as sound"),
        ("long.flac", (tmp_path / "long.flac").read_bytes(), "long.flac is 601 s long: up to 600 s"),
    ):
        with pytest.raises(DataError) as refused:
            give(uploads, name, content)
        assert words in str(refused.value)
        assert str(uploads._folder) not in str(refused.value)
    assert list(uploads._folder.iterdir()) == []


def test_there_is_an_end_to_how_many(uploads, tmp_path):
    soundfile.write(tmp_path / "a.wav", tone(300, 0.1), RATE_HZ)
    content = (tmp_path / "a.wav").read_bytes()
    for _ in range(MOST_UPLOADS):
        give(uploads, "a.wav", content)
    with pytest.raises(DataError, match="32 sounds were given already: remove one"):
        give(uploads, "a.wav", content)


def test_two_sounds_lie_beside_each_other_in_their_order(uploads, voice):
    folder = uploads.pair(voice, voice)
    assert sorted(path.name for path in folder.iterdir()) == ["1 voice.flac", "2 voice.flac"]
    assert (folder / "1 voice.flac").read_bytes() == voice.read_bytes()
