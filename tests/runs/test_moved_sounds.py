"""A run's sounds that have been moved and renamed since it was trained."""

import shutil
from pathlib import Path

import pytest

from sda.data.cache import SoundCache
from sda.data.scan import scan_folder
from sda.errors import DataError
from sda.runs.moved_sounds import find_moved, match_by_content, refuse_changed
from tests.conftest import RATE_HZ


@pytest.fixture
def known(make_sounds) -> dict[str, str]:
    scan = scan_folder(make_sounds(5), cache=SoundCache(sample_rate_hz=RATE_HZ))
    return {file.path: file.sha256 for file in scan.usable}


def _move(known: dict[str, str], there: Path) -> None:
    there.mkdir()
    for number, path in enumerate(sorted(known, reverse=True)):
        shutil.move(path, there / f"renamed {number}.wav")


def test_moved_and_renamed_sounds_are_found_by_content_among_others(known, make_sounds, tmp_path):
    _move(known, tmp_path / "there")
    make_sounds(7, duration_s=0.5, folder="there")
    places = find_moved(known, str(tmp_path / "there"), SoundCache(sample_rate_hz=RATE_HZ))
    assert list(map(places.get, sorted(known))) == [
        f"{tmp_path}/there/renamed {number}.wav" for number in range(4, -1, -1)
    ]


def test_sounds_that_moved_into_two_folders_are_found_in_both_together(known, tmp_path):
    for number, path in enumerate(sorted(known)):
        place = tmp_path / f"part {number % 2}"
        place.mkdir(exist_ok=True)
        shutil.move(path, place / "same name.wav" if number < 2 else place)
    cache = SoundCache(sample_rate_hz=RATE_HZ)
    places = find_moved(known, f"[{tmp_path}/part 1,{tmp_path}/part 0]", cache)
    assert [places[path] for path in sorted(known)[:3]] == [
        f"{tmp_path}/part 0/same name.wav",
        f"{tmp_path}/part 1/same name.wav",
        f"{tmp_path}/part 0/tone_002.wav",
    ]
    with pytest.raises(DataError, match=r"lacks tone_001\.wav, tone_003\.wav of the 5 .*; several as 'data\.root="):
        find_moved(known, f"{tmp_path}/part 0", cache)


def test_a_copy_is_matched_with_a_copy():
    assert match_by_content({"a": "1", "b": "1", "c": "2"}, {"x": "1", "b": "1", "y": "1"}) == {"b": "b", "a": "x"}


def test_sounds_that_lack_one_are_refused_with_its_name(known, tmp_path):
    _move(known, tmp_path / "there")
    (tmp_path / "there" / "renamed 4.wav").unlink()
    with pytest.raises(DataError, match=r"data\.root=.*there lacks tone_000\.wav of the 5 files"):
        find_moved(known, str(tmp_path / "there"), SoundCache(sample_rate_hz=RATE_HZ))


def test_sounds_that_are_not_where_they_were_are_asked_for(known, tmp_path):
    cache = SoundCache(sample_rate_hz=RATE_HZ)
    refuse_changed(list(known), known, cache)
    first, second, *_ = sorted(known)
    shutil.copy(second, first)
    with pytest.raises(DataError, match=r"tone_000\.wav of the run's 5 files holds other sound than it was trained on"):
        refuse_changed(list(known), known, cache)
    _move(known, tmp_path / "there")
    with pytest.raises(
        DataError, match=r"and 2 more of the run's 5 files are not where they were\. .*data\.root=FOLDER"
    ):
        refuse_changed(list(known), known, cache)
