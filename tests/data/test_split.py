import pytest

from sda.data.split import split_files
from sda.errors import DataError


def _files(n_files):
    return {f"{index}.wav": str(index) for index in range(n_files)}


@pytest.mark.parametrize("n_files", [2, 3, 10, 57, 500])
@pytest.mark.parametrize("fraction", [0.1, 0.3, 0.5, 0.99])
def test_every_file_is_on_just_one_side_and_none_is_empty(n_files, fraction):
    split = split_files(_files(n_files), fraction)
    assert sorted(split.train + split.val) == sorted(_files(n_files))
    assert len(split.val) == min(max(round(fraction * n_files), 1), n_files - 1)


@pytest.mark.parametrize("seed", range(20))
def test_the_same_sound_is_never_on_both_sides(seed):
    groups = {f"{index}.wav": str(index // 3) for index in range(30)}
    split = split_files(groups, 0.3, seed)
    assert not {groups[path] for path in split.train} & {groups[path] for path in split.val}
    assert split.val


def test_the_seed_decides_and_names_do_not_matter():
    groups = _files(40)
    split = split_files(groups, 0.3, seed=1)
    assert split == split_files(groups, 0.3, seed=1)
    assert split != split_files(groups, 0.3, seed=2)
    renamed = split_files({f"other/{path}": key for path, key in groups.items()}, 0.3, seed=1)
    assert renamed.val == tuple(f"other/{path}" for path in split.val)


def test_one_more_file_moves_hardly_any_other():
    before = set(split_files(_files(40), 0.3).val)
    after = set(split_files(_files(41), 0.3).val)
    assert len(before - after) <= 1


def test_a_group_larger_than_the_share_still_leaves_both_sides_full():
    split = split_files({"a": "1", "b": "1", "c": "2", "d": "2"}, 0.25)
    assert (len(split.train), len(split.val)) == (2, 2)


@pytest.mark.parametrize(
    ("groups", "message"),
    [({}, "0 usable file"), ({"a": "1"}, "at least 2"), ({"a": "1", "b": "1"}, "hold the same sound")],
)
def test_too_little_is_refused(groups, message):
    with pytest.raises(DataError, match=message):
        split_files(groups, 0.5)
