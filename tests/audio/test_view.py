"""Pieces of a file read as if they were a file of their own."""

import io
import os

import pytest

from sda.audio.view import View

PIECES = ((2, 3), b"ab", (7, 2))


def test_pieces_are_read_one_behind_the_other_however_many_bytes_at_a_time():
    for n_bytes in range(1, 9):
        view = View(io.BytesIO(b"0123456789"), PIECES)
        found = [view.read(n_bytes) for _ in range(8)]
        assert b"".join(found) == b"234ab78"
        assert all(len(one) == n_bytes for one in found[: 7 // n_bytes])
    assert View(io.BytesIO(b"0123456789"), PIECES).read() == b"234ab78"


def test_every_place_can_be_gone_to():
    view = View(io.BytesIO(b"0123456789"), PIECES)
    assert len(view) == 7
    for place in range(8):
        assert view.seek(place) == view.tell() == place
        assert view.read(2) == b"234ab78"[place : place + 2]
    assert view.seek(-3, os.SEEK_END) == 4
    assert view.seek(1, os.SEEK_CUR) == 5
    assert view.read() == b"78"
    assert view.seek(-9) == 0, "before the beginning is the beginning"
    assert view.seek(100) == 100
    assert view.read(4) == b""


def test_of_no_pieces_there_is_nothing():
    view = View(io.BytesIO(b"0123456789"), ())
    assert (len(view), view.read(), view.seek(0, os.SEEK_END)) == (0, b"", 0)


def test_a_file_that_has_become_shorter_ends_the_view_early():
    view = View(io.BytesIO(b"0123"), PIECES)
    assert view.read() == b"23"
    assert view.error is None


def test_an_error_of_the_disk_is_kept_and_not_raised():
    class Failing(io.BytesIO):
        def read(self, *args):
            raise OSError(5, "Input/output error")

    view = View(Failing(b"0123456789"), PIECES)
    assert view.read() == b""
    with pytest.raises(OSError, match="Input/output error"):
        raise view.error
