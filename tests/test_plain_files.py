"""Plain files: no links, no pipes, no devices, nothing without end."""

import os

import pytest

from sda.plain_files import find_strange, open_plain, open_to_append, read_json, read_plain


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "run" / "inner").mkdir(parents=True)
    (tmp_path / "run" / "plain.json").write_text('{"a": 1}')
    (tmp_path / "outside.txt").write_text("outside")
    return tmp_path / "run"


def test_a_plain_file_is_read(folder):
    assert read_json(folder / "plain.json") == {"a": 1}
    assert find_strange(folder) == ""


def test_a_link_is_not_followed(folder):
    (folder / "inner" / "link").symlink_to(folder.parent / "outside.txt")
    with pytest.raises(OSError, match="symbolic link"):
        open_plain(folder / "inner" / "link")
    with pytest.raises(OSError, match="symbolic link"):
        open_to_append(folder / "inner" / "link")
    assert "inner/link is a symbolic link" in find_strange(folder)


def test_a_linked_folder_is_not_entered(folder):
    (folder / "generated").symlink_to(folder.parent)
    assert "generated is a symbolic link" in find_strange(folder)


def test_a_folder_named_through_a_link_is_looked_through(folder):
    (folder.parent / "link").symlink_to(folder)
    assert find_strange(folder.parent / "link") == ""


@pytest.mark.parametrize("open_it", [open_plain, open_to_append])
def test_nobody_waits_for_a_pipe(folder, open_it):
    os.mkfifo(folder / "pipe")
    with pytest.raises(OSError, match="not a regular file"):
        open_it(folder / "pipe")
    assert "pipe is no regular file" in find_strange(folder)


def test_a_device_is_not_read(folder):
    with pytest.raises(OSError, match="not a regular file"):
        read_plain(folder.parents[-1] / "dev" / "zero")


def test_what_is_far_too_large_is_not_read(folder):
    with open(folder / "huge.json", "wb") as file:
        file.truncate(1 << 40)  # a sparse file: a terabyte that takes no room
    with pytest.raises(OSError, match="larger than"):
        read_json(folder / "huge.json")


def test_deep_nesting_is_told_as_an_error(folder):
    (folder / "deep.json").write_text("[" * 100_000)
    with pytest.raises(ValueError, match="nested"):
        read_json(folder / "deep.json")
