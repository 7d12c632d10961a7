import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile

from sda.data.scan import scan_folder
from sda.errors import DataError
from tests.conftest import RATE_HZ, tone


def _reasons(root, **kwargs):
    return {os.path.relpath(file.path, root): file.reason for file in scan_folder(root, **kwargs).files}


def test_what_sda_made_is_passed_over_by_what_lies_in_its_folder(make_sounds):
    root = make_sounds(2)
    for folder, names in {
        "made": ["generated.json"],
        "deep/made": ["generated.json"],
        "judged": ["evaluation.json", "report.html"],
        "mine": ["evaluation.json"],  # another program's file may have this name
    }.items():
        (root / folder).mkdir(parents=True)
        shutil.copy(root / "tone_001.wav", root / folder / "sound_001.wav")
        for name in names:
            (root / folder / name).touch()
    reasons = _reasons(root)
    for folder in ("made", "deep/made"):
        assert reasons.pop(folder) == "holds generated.json: output of sda, not data; take that file away if it is"
    assert reasons.pop("judged").startswith("holds evaluation.json")
    assert {path for path, reason in reasons.items() if not reason} == {
        "tone_000.wav",
        "tone_001.wav",
        "mine/sound_001.wav",
    }
    assert scan_folder(root / "made").file_count == 1, "it is what was asked for"
    looked_into = _reasons(root, with_generated=True)
    assert looked_into["made/sound_001.wav"] == looked_into["deep/made/sound_001.wav"] == ""


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

    reasons = _reasons(root)
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


def test_nothing_is_written_into_the_folder(make_sounds):
    root = make_sounds(2)
    before = sorted(os.listdir(root))
    scan_folder(root)
    assert sorted(os.listdir(root)) == before


def test_quiet_is_not_silent(make_sounds):
    root = make_sounds(2)
    soundfile.write(root / "quiet.wav", tone(440, 1, level=0.01), RATE_HZ)  # −40 dBFS
    assert _reasons(root)["quiet.wav"] == ""
    assert "silent" in _reasons(root, silence_dbfs=-30)["quiet.wav"]


def test_the_same_sound_in_two_formats_has_one_hash(make_sounds):
    root = make_sounds(2)
    samples, rate = soundfile.read(root / "tone_000.wav")
    soundfile.write(root / "copy.flac", samples, rate, subtype="PCM_16")
    by_name = {Path(file.path).name: file.sha256 for file in scan_folder(root).files}
    assert by_name["copy.flac"] == by_name["tone_000.wav"] != by_name["tone_001.wav"]


def test_the_fingerprint_follows_the_sound_and_not_the_names(make_sounds):
    root = make_sounds(3)
    before = scan_folder(root).fingerprint
    (root / "tone_000.wav").rename(root / "renamed.wav")
    assert scan_folder(root).fingerprint == before
    soundfile.write(root / "renamed.wav", tone(999, 1), RATE_HZ)
    assert scan_folder(root).fingerprint != before


def test_links_are_followed_once(make_sounds):
    root = make_sounds(2)
    (root / "loop").symlink_to(root)
    (root / "link.wav").symlink_to(root / "tone_000.wav")
    assert scan_folder(root).file_count == 3


def test_chunks_count_the_last_one_whole(make_sounds):
    scan = scan_folder(make_sounds(2))  # 1.2 s and 1.25 s
    assert scan.count_chunks(1.0) == 4
    assert scan.count_chunks(0.6) == 5


@pytest.mark.parametrize(
    ("name", "message"),
    [("missing", "no such folder"), ("a_file", "is a file"), ("empty", "no usable sound file: the folder is empty")],
)
def test_a_folder_that_cannot_be_used_says_why(tmp_path, name, message):
    (tmp_path / "a_file").touch()
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=message):
        scan_folder(tmp_path / name)
