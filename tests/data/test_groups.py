"""Files that stay on one side of the split, as copies of copies or by a pattern on their names."""

import itertools
from pathlib import Path

import pytest

from sda.errors import ConfigError
from tests.data.textures import RATE, group, make_texture, write


def test_copies_of_copies_are_one_group(tmp_path):
    sound = make_texture(0, 6.0)
    for index, (start, end) in enumerate([(0, 3), (2, 5), (4, 6)]):  # the first and the last share nothing
        write(tmp_path / f"{index}.wav", sound[start * RATE : end * RATE])
    write(tmp_path / "other.wav", make_texture(1, 4.0))
    _, groups = group(tmp_path)
    assert sorted(len(paths) for paths in groups.members.values()) == [1, 3]


def test_a_group_is_named_by_its_sounds_and_not_by_its_files(tmp_path):
    for folder, names in (("one", "abcd"), ("two", "dcba")):
        (tmp_path / folder).mkdir()
        for seed, name in enumerate(names):
            write(tmp_path / folder / f"{name}.wav", make_texture(seed // 2, 3.0)[: (2 + seed) * RATE // 2])
    keys = [sorted(set(group(tmp_path / folder)[1].key_of.values())) for folder in ("one", "two")]
    assert keys[0] == keys[1]
    assert len(keys[0]) == 2


@pytest.fixture
def takes(tmp_path):
    for number, take in itertools.product((1, 2, 3), "AB"):
        write(tmp_path / f"1-{number}-{take}.wav", make_texture(10 * number + ord(take), 1.0))
    write(tmp_path / "rain.wav", make_texture(0, 1.0))
    return tmp_path


def test_a_pattern_groups_by_name(takes):
    _, groups = group(takes, r"1-(\d)-")
    names = sorted(sorted(Path(path).stem for path in paths) for paths in groups.members.values())
    assert names == [["1-1-A", "1-1-B"], ["1-2-A", "1-2-B"], ["1-3-A", "1-3-B"], ["rain"]]
    assert group(takes, "takes")[1].key_of == groups.key_of


def test_names_that_look_like_takes_count_unless_nothing_would_be_left_to_split(takes):
    assert len(group(takes)[1].members) == 7
    groups = group(takes, "auto")[1]
    assert (len(groups.members), groups.n_joined_by_name) == (4, 3)
    for path in [*takes.glob("1-2-*"), *takes.glob("1-3-*")]:  # the rest: one recording in two takes, and another
        path.unlink()
    groups = group(takes, "auto")[1]
    assert (len(groups.members), groups.n_joined_by_name) == (3, 0)


@pytest.mark.parametrize("pattern", ["takes", "auto"])
def test_files_of_one_name_in_two_folders_are_no_takes_of_each_other(tmp_path, pattern):
    folders = tmp_path / "piano", tmp_path / "rain"
    for seed, (folder, name) in enumerate(itertools.product(folders, ("01", "02", "02 take 2"))):
        folder.mkdir(exist_ok=True)
        write(folder / f"{name}.wav", make_texture(seed, 1.0))
    _, groups = group(folders, pattern)
    names = sorted(sorted(str(Path(path).relative_to(tmp_path)) for path in paths) for paths in groups.members.values())
    takes = [[f"{folder}/02 take 2.wav", f"{folder}/02.wav"] for folder in ("piano", "rain")]
    assert names == [["piano/01.wav"], takes[0], ["rain/01.wav"], takes[1]]
    by_folder = group(folders, r"^(\w+)/")[1].members.values()
    assert sorted(len(paths) for paths in by_folder) == [3, 3], "a pattern sees the folders"


@pytest.mark.parametrize(("pattern", "message"), [("(", "is no regular expression"), ("thunder", "finds nothing")])
def test_a_pattern_that_cannot_be_meant_is_refused(takes, pattern, message):
    with pytest.raises(ConfigError, match=message):
        group(takes, pattern)
