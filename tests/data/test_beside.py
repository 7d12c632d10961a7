"""What lies beside sounds and is none, told from what might be sound by name and first bytes."""

import pytest

from sda.data.beside import BESIDE
from sda.data.scan import scan_folder
from sda.errors import DataError

NO_SOUND = {
    "LICENSE": b"Permission is hereby granted",
    "README": "Käse\n".encode(),
    "PROVENANCE.md": b"# where from",
    "notes.odd": b"a text under any name",
    "cover.jpg": b"\xff\xd8\xff\xe0",
    "score.unheard": b"%PDF-1.7",
    "Thumbs.db": b"\xd0\xcf\x11\xe0",
    "desktop.ini": b"\xff\xfe[\x00",
    "tone.wav.asd": bytes(range(200)),
    "tone.wav.reapeaks": b"RPKN\0\1",
    "tone.pkf": b"\0\1\2",
    "take.mid": b"MThd\0\0\0\6",
    "live.als": b"\x1f\x8b\x08",
    "list.m3u": b"",
    ".DS_Store": b"\0\0\0\1Bud1",
    ".gitkeep": b"",
    "._tone_000.wav": b"\0\5\x16\7",
}
MIGHT_BE_SOUND = {
    "song.m4a": b"....ftypM4A ",
    "song.wma": b"version of a text that only a pointer to it left",
    "film.mov": b"....moov",
    "unknown.xyz": bytes(range(128, 256)),
    "unnamed": bytes(range(128, 256)),
    "under_another_name.txt": b"....ftypM4A ",
    "taken_for_notes.json": b"RIFF\x10\0\0\0WAVEfmt ",
    "cut.bak": b"fLaC\0\0\0\x22",
}


@pytest.fixture
def root(make_sounds):
    root = make_sounds(2)
    for name, content in (NO_SOUND | MIGHT_BE_SOUND).items():
        (root / name).write_bytes(content)
    return root


def test_what_is_no_sound_is_passed_over_and_what_might_be_is_named(root):
    scan = scan_folder(root)
    assert {file.path.rpartition("/")[2] for file in scan.passed_over} == set(NO_SOUND)
    assert all(file.reason == BESIDE for file in scan.passed_over)
    left_out = {file.path.rpartition("/")[2]: file.reason for file in scan.quarantined}
    assert set(left_out) == set(MIGHT_BE_SOUND)
    assert all("; convert it to WAV or FLAC" in reason for reason in left_out.values())
    assert scan.file_count == 2


def test_a_folder_without_sound_says_what_it_holds(tmp_path):
    for name in ("LICENSE", "notes.txt"):
        (tmp_path / name).write_text("no sound")
    with pytest.raises(DataError, match=r"no usable sound file: 2 other files passed over, such as LICENSE. Supported"):
        scan_folder(tmp_path)
    (tmp_path / "song.m4a").write_bytes(b"....ftypM4A ")
    with pytest.raises(DataError, match=r"song.m4a: unsupported format .m4a; convert it .*; 2 other files passed over"):
        scan_folder(tmp_path)


def test_an_empty_value_is_no_folder(tmp_path):
    with pytest.raises(DataError, match=r"data.root= is empty. Give the folder"):
        scan_folder("")
