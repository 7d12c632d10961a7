"""By what a file is known again without being decoded."""

import zlib

import pytest

from sda.data import signature
from sda.data.scan import scan_folder
from sda.data.signature import checksum, read_signature, sign_file


def test_a_file_that_has_only_just_changed_is_not_trusted(make_sounds, cache, decoded, monkeypatch):
    monkeypatch.setattr(signature, "CLOCK_TICK_NS", 60_000_000_000)
    root = make_sounds(2)
    for _ in range(2):
        scan_folder(root, cache=cache)
    assert len(decoded) == 4


def test_of_a_file_that_is_not_there_nothing_is_known(tmp_path):
    assert sign_file(tmp_path / "missing") == []
    with pytest.raises(FileNotFoundError):
        read_signature(tmp_path / "missing")


def test_what_changes_with_the_content_is_in_the_signature(tmp_path, monkeypatch):
    monkeypatch.setattr(signature, "CLOCK_TICK_NS", 0)
    path = tmp_path / "sound"
    path.write_bytes(b"one")
    before = sign_file(path)
    assert before == read_signature(path)
    (tmp_path / "copy").write_bytes(b"one")
    assert sign_file(tmp_path / "copy")[3] != before[3], "another file"
    path.write_bytes(b"longer")
    assert sign_file(path)[0] == 6
    (tmp_path / "copy").replace(path)
    assert sign_file(path) != before


def test_a_checksum_follows_every_byte_however_much_is_read_at_once(tmp_path, monkeypatch):
    content = bytearray(range(256)) * 40
    (tmp_path / "whole").write_bytes(content)
    expected = zlib.crc32(content)
    assert checksum(tmp_path / "whole") == expected
    monkeypatch.setattr(signature, "_CHECKED_AT_ONCE", 1000)
    assert checksum(tmp_path / "whole") == expected
    content[5000] ^= 1
    (tmp_path / "whole").write_bytes(content)
    assert checksum(tmp_path / "whole") != expected
