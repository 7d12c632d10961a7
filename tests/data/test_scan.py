import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile

from sda.data.cache import SoundCache
from sda.data.scan import scan_folder
from sda.errors import DataError
from sda.printable import show_name
from sda.report.file_table import list_copies
from tests.conftest import RATE_HZ, tone
from tests.data.conftest import list_reasons


def test_each_bad_file_is_left_out_with_its_reason(make_sounds):
    root = make_sounds(2)
    good = root / "tone_000.wav"
    flac = root / "cut.flac"
    soundfile.write(flac, np.random.default_rng(0).normal(0, 0.1, 3 * RATE_HZ), RATE_HZ)
    flac.write_bytes(flac.read_bytes()[: flac.stat().st_size // 2])
    (root / "cut.wav").write_bytes(good.read_bytes()[:20000])
    soundfile.write(root / "nan.wav", np.array([0.1, np.nan] * 4000), RATE_HZ, subtype="FLOAT")
    soundfile.write(root / "inf.wav", np.array([0.1, np.inf] * 4000), RATE_HZ, subtype="FLOAT")
    soundfile.write(root / "no_frames.wav", np.zeros(0), RATE_HZ)
    soundfile.write(root / "silent.wav", np.zeros(RATE_HZ), RATE_HZ)
    soundfile.write(root / "short.wav", tone(440, 0.01), RATE_HZ)
    (root / "no_bytes.wav").touch()
    (root / "fake.mp3").write_text("not sound")
    (root / "song.m4a").write_bytes(b"....ftypM4A ")
    shutil.copy(good, root / "._tone.wav")
    (root / "dangling.wav").symlink_to(root / "nowhere.wav")
    os.mkfifo(root / "pipe.wav")
    shutil.copy(good, os.fsencode(root) + b"/caf\xe9.wav")
    (root / "folder.wav").mkdir()
    (root / "run" / ".hydra").mkdir(parents=True)
    shutil.copy(good, root / "run" / "preview.wav")
    (root / "mlartifacts").mkdir()
    shutil.copy(good, root / "mlartifacts" / "preview.wav")

    reasons = list_reasons(root)
    expected = {
        "cut.flac": ("truncated", "unreadable"),
        "cut.wav": ("truncated",),
        "nan.wav": ("NaN",),
        "inf.wav": ("NaN or infinite",),
        "no_frames.wav": ("empty",),
        "silent.wav": ("silent",),
        "short.wav": ("too short",),
        "no_bytes.wav": ("empty",),
        "fake.mp3": ("unreadable",),
        "song.m4a": ("unsupported format .m4a",),
        "._tone.wav": ("no sound; passed over",),
        "dangling.wav": ("link that leads nowhere",),
        "pipe.wav": ("not a regular file",),
        "caf\ufffd.wav": ("not valid UTF-8",),
        "run": ("inside a run folder",),
        "mlartifacts": ("inside a run folder",),
    }
    for name, words in expected.items():
        reason = reasons.pop(name)
        assert any(word in reason for word in words), name
    assert reasons == {"tone_000.wav": "", "tone_001.wav": ""}


def test_several_folders_are_one_corpus_whose_files_are_named_below_what_holds_them(make_sounds, tmp_path):
    piano, rain = make_sounds(2, folder="piano"), make_sounds(2, duration_s=0.7, folder="rain")
    samples, rate = soundfile.read(piano / "tone_000.wav")
    soundfile.write(rain / "copy.flac", samples, rate, subtype="PCM_16")
    (rain / "broken.wav").write_bytes(b"no sound")
    scan = scan_folder([rain, piano, piano / ".." / "rain"])
    assert scan == scan_folder([piano, rain])
    assert (scan.folders, scan.root) == ((str(piano), str(rain)), str(tmp_path))
    assert {show_name(file.path, scan.root) for file in scan.usable} == {
        *("piano/tone_000.wav", "piano/tone_001.wav", "rain/copy.flac", "rain/tone_000.wav", "rain/tone_001.wav"),
    }
    assert list_copies(scan) == [["piano/tone_000.wav", "rain/copy.flac"]]
    assert [show_name(file.path, scan.root) for file in scan.quarantined] == ["rain/broken.wav"]


def test_a_folder_that_is_given_beside_what_holds_it_or_links_to_it_is_looked_at_once(make_sounds, tmp_path):
    rain = make_sounds(2, folder="rain")
    inner = make_sounds(1, duration_s=0.7, folder="rain/inner")
    assert scan_folder([inner, rain]) == scan_folder(rain)
    (tmp_path / "links").mkdir()
    (tmp_path / "links" / "to rain").symlink_to(rain)
    soundfile.write(tmp_path / "links" / "own.wav", tone(900, 1), RATE_HZ)
    scan = scan_folder([tmp_path / "links", rain])
    names = [show_name(file.path, scan.root) for file in scan.usable]
    assert names == ["links/own.wav", "rain/tone_000.wav", "rain/tone_001.wav", "rain/inner/tone_000.wav"]


def test_none_of_several_folders_is_the_cache(make_sounds):
    folders = [make_sounds(2), make_sounds(1, folder="others")]
    for folder in folders:
        with pytest.raises(DataError, match=r"lies inside data\.root"):
            scan_folder(folders, cache=SoundCache(folder / "cache", RATE_HZ))


def test_of_several_folders_one_may_hold_nothing_and_not_all(make_sounds, tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "a.m4a").write_bytes(b"....ftypM4A ")
    assert scan_folder([tmp_path / "empty", make_sounds(2)]).file_count == 2
    with pytest.raises(DataError, match=r"empty\".*: no usable sound file: notes/a\.m4a: unsupported format"):
        scan_folder([tmp_path / "empty", tmp_path / "notes"])
    (tmp_path / "notes" / "a.m4a").unlink()
    with pytest.raises(DataError, match="no usable sound file: the folders are empty"):
        scan_folder([tmp_path / "empty", tmp_path / "notes"])


def test_nothing_is_written_into_the_folder(make_sounds):
    root = make_sounds(2)
    before = sorted(os.listdir(root))
    scan_folder(root)
    assert sorted(os.listdir(root)) == before


def test_quiet_is_not_silent(make_sounds):
    root = make_sounds(2)
    soundfile.write(root / "quiet.wav", tone(440, 1, level=0.01), RATE_HZ)  # −40 dBFS
    assert list_reasons(root)["quiet.wav"] == ""
    assert "silent" in list_reasons(root, silence_dbfs=-30)["quiet.wav"]


def test_the_same_sound_in_two_formats_has_one_hash(make_sounds):
    root = make_sounds(2)
    samples, rate = soundfile.read(root / "tone_000.wav")
    soundfile.write(root / "copy.flac", samples, rate, subtype="PCM_16")
    by_name = {Path(file.path).name: file.sha256 for file in scan_folder(root).files}
    assert by_name["copy.flac"] == by_name["tone_000.wav"] != by_name["tone_001.wav"]


@pytest.mark.parametrize(
    ("name", "message"),
    [("missing", "no such folder"), ("a_file", "is a file"), ("empty", "no usable sound file: the folder is empty")],
)
def test_a_folder_that_cannot_be_used_says_why(tmp_path, name, message):
    (tmp_path / "a_file").touch()
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=message):
        scan_folder(tmp_path / name)
