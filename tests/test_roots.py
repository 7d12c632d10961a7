"""Folders of sounds as one text: given in any way, kept in one."""

import os
from pathlib import Path

import numpy as np
import pytest

from sda.errors import DataError
from sda.roots import find_base, find_roots, join_roots, settle_roots, split_roots

SIGNS = [*',,[]""\'\\/ ~${}\n\t', "a", "B", "é", "\N{MUSICAL KEYBOARD}", "\N{RIGHT-TO-LEFT OVERRIDE}", "\udcff"]
"""Of which names are drawn: what the text is written with stands in many of them."""


def _draw_names(seed: int) -> list[str]:
    rng = np.random.default_rng(seed)
    return ["".join(rng.choice(SIGNS, rng.integers(1, 9))) for _ in range(rng.integers(1, 5))]


def test_folders_of_any_name_are_taken_apart_as_they_were_put_together():
    drawn = [_draw_names(seed) for seed in range(2000)]
    assert {len(names) for names in drawn} == {1, 2, 3, 4}
    for names in drawn:
        assert split_roots(join_roots(names)) == names


@pytest.fixture
def folders(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("piano/wet", "rain, old", "[piano,wind]"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "link").symlink_to("piano/wet")
    (tmp_path / "file").touch()
    return tmp_path


@pytest.mark.parametrize("given", ["piano", "[piano]", "[piano,piano/wet]", "[link,piano]", "[piano,./piano/,piano]"])
def test_what_comes_to_one_folder_is_kept_as_that_folder(folders, given):
    assert settle_roots(given) == str(folders / "piano")


@pytest.mark.parametrize(
    "given", ['[piano,"rain, old"]', '["rain, old", ./piano]', '[piano/wet/../../piano,link,"rain, old","rain, old"]']
)
def test_several_are_kept_in_one_way_however_they_were_given(folders, given):
    kept = settle_roots(given)
    assert kept == f'["{folders}/piano","{folders}/rain, old"]'
    assert settle_roots(kept) == kept
    assert find_base(split_roots(kept)) == folders


def test_a_folder_whose_own_name_looks_like_several_is_one(folders):
    assert settle_roots("[piano,wind]") == str(folders / "[piano,wind]")
    assert settle_roots('["[piano,wind]",piano]') == f'["{folders}/[piano,wind]","{folders}/piano"]'


def test_home_is_expanded_and_nobodys_home_is_a_name(folders, monkeypatch):
    monkeypatch.setenv("HOME", str(folders))
    assert settle_roots("[~/piano,~/link]") == str(folders / "piano")
    with pytest.raises(DataError, match=r"data\.root=~no such user/sounds: there is no such folder"):
        settle_roots("[piano,~no such user/sounds]")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("", "data.root= is empty"),
        ("[]", "data.root= is empty"),
        ("[ , ]", "data.root= is empty"),
        ("[piano,]", "data.root=[piano,]: folder 2 of 2 has no name"),
        ("[piano,wind]/x", "data.root=[piano,wind]/x: there is no such folder"),
        ("[piano,nowhere]", "data.root=nowhere: there is no such folder"),
        ("[file,piano]", "data.root=file: is a file"),
    ],
)
def test_what_is_wrong_is_named(folders, given, message):
    with pytest.raises(DataError) as raised:
        settle_roots(given)
    assert str(raised.value).startswith(message)
    assert "\n" not in str(raised.value)


def test_a_text_that_is_far_too_long_names_folders_all_the_same():
    names = [f"/{'n' * 300}/{number}" for number in range(40)]
    assert split_roots(join_roots(names)) == names


def test_folders_that_no_folder_holds_are_refused(folders, monkeypatch):
    """As those of two drives of Windows."""

    def refuse(paths):
        raise ValueError("Paths don't have the same drive")

    monkeypatch.setattr(os.path, "commonpath", refuse)
    with pytest.raises(DataError, match="they lie on different drives"):
        find_roots(["piano", Path("rain, old")])
