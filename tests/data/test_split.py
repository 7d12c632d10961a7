import numpy as np
import pytest

from sda.data.split import Segment, Split, SplitFile, split_files
from sda.errors import ConfigError, DataError


def _files(n_files, group_of=str, duration_s=4.0):
    return {f"{index}.wav": SplitFile(group_of(index), duration_s, -20.0) for index in range(n_files)}


def _varied(n_files, seed=0):
    rng = np.random.default_rng(seed)
    return {
        f"{index}.wav": SplitFile(str(index), float(np.exp(rng.normal(1, 1))), float(rng.normal(-25, 8)))
        for index in range(n_files)
    }


@pytest.mark.parametrize("n_files", [3, 10, 57, 500])
@pytest.mark.parametrize("fraction", [0.1, 0.3, 0.5, 0.99])
def test_every_file_is_on_just_one_side_and_none_is_empty(n_files, fraction):
    split = split_files(_varied(n_files), fraction)
    assert sorted(split.train_paths + split.val_paths) == sorted(_files(n_files))
    assert abs(len(split.val) - min(max(fraction * n_files, 1), n_files - 1)) <= 1
    assert split.train
    assert split.val
    assert not split.weakness


@pytest.mark.parametrize("seed", range(20))
def test_a_group_is_never_on_both_sides(seed):
    files = _files(30, lambda index: str(index // 3))
    split = split_files(files, 0.3, seed)
    assert not {files[path].group for path in split.train_paths} & {files[path].group for path in split.val_paths}
    assert len(split.val) == 9


@pytest.mark.parametrize("sizes", [(6, 1, 1, 1, 1), (5, 5, 5), (1, 1, 20), (9, 9, 1)])
def test_large_groups_leave_both_sides_full(sizes):
    groups = [number for number, size in enumerate(sizes) for _ in range(size)]
    split = split_files(_files(len(groups), lambda index: str(groups[index])), 0.3)
    assert 0 < len(split.val) <= len(split.train)


def test_the_seed_decides_and_names_do_not_matter():
    files = _varied(40)
    split = split_files(files, 0.3, seed=1)
    assert split == split_files(files, 0.3, seed=1)
    assert split != split_files(files, 0.3, seed=2)
    renamed = split_files({f"other/{path}": file for path, file in reversed(files.items())}, 0.3, seed=1)
    assert sorted(renamed.val_paths) == sorted(f"other/{path}" for path in split.val_paths)


@pytest.mark.parametrize("seed", range(5))
def test_lengths_and_levels_are_alike_on_both_sides(seed):
    """The best of many draws is closer than one draw would be."""
    files = _varied(40, seed)
    split = split_files(files, 0.3, seed)
    for trait in (lambda file: np.log(file.duration_s), lambda file: file.level_dbfs):
        train, val = ([trait(files[path]) for path in paths] for paths in (split.train_paths, split.val_paths))
        spread = np.std(train + val)
        assert abs(np.mean(train) - np.mean(val)) < 0.25 * spread
        assert np.std(val) == pytest.approx(np.std(train), rel=0.4)


@pytest.mark.parametrize("folds", [2, 3, 5])
def test_each_file_is_held_out_in_just_one_fold(folds):
    files = _files(20, lambda index: str(index // 2))
    held_out = [split_files(files, 0.3, folds=folds, fold=fold).val_paths for fold in range(folds)]
    assert sorted(path for paths in held_out for path in paths) == sorted(files)
    for fold, paths in enumerate(held_out):
        train = split_files(files, 0.3, folds=folds, fold=fold).train_paths
        assert not {files[path].group for path in paths} & {files[path].group for path in train}


@pytest.mark.parametrize(("folds", "fold"), [(1, 0), (3, 3), (0, 1), (3, -1)])
def test_a_fold_that_is_not_there_is_refused(folds, fold):
    with pytest.raises(ConfigError, match=f"data.fold={fold} of data.folds={folds}"):
        split_files(_files(10), 0.3, folds=folds, fold=fold)


def test_more_folds_than_groups_are_refused():
    with pytest.raises(DataError, match=r"only 5 groups.*data.folds=5 or fewer"):
        split_files(_files(10, lambda index: str(index // 2)), 0.3, folds=6)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("fraction", [0.5, 0.3, 0.1])
def test_one_recording_is_split_in_time_with_a_gap(seed, fraction):
    split = split_files({"a.wav": SplitFile("a", 60.0, -20.0)}, fraction, seed, chunk_duration_s=2.0)
    assert "only recording" in split.weakness
    (held_out,) = split.val
    assert held_out.end_s - held_out.start_s == pytest.approx(60 / round(1 / fraction))
    for segment in split.train:
        assert segment.end_s <= held_out.start_s - 2.0 or segment.start_s >= held_out.end_s + 2.0
        assert segment.end_s - segment.start_s >= 2.0
    assert split.side_of("a.wav") == "both"


def test_folds_of_one_recording_cover_it():
    file = {"a.wav": SplitFile("a", 60.0, -20.0)}
    blocks = [split_files(file, 0.5, folds=4, fold=fold).val[0] for fold in range(4)]
    assert blocks == [Segment("a.wav", 15.0 * fold, 15.0 * (fold + 1)) for fold in range(4)]


def test_a_copy_of_a_recording_that_is_split_in_time_is_set_aside():
    files = {
        "a.wav": SplitFile("a", 60.0, -20.0),
        "a trimmed.wav": SplitFile("a", 59.0, -20.0),
        "b.wav": SplitFile("b", 2.0, -20.0),
    }
    split = split_files(files, 0.3)
    assert split.set_aside == ("a trimmed.wav",)
    assert split.side_of("a trimmed.wav") == "aside"
    assert Segment("b.wav") in split.train  # too short to be split itself
    assert split.val_paths == ["a.wav"]


def test_two_short_recordings_are_one_on_each_side():
    split = split_files(_files(4, lambda index: str(index // 2), duration_s=1.0), 0.5)
    assert (len(split.train), len(split.val)) == (2, 2)
    assert "only two different recordings" in split.weakness


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (_files(1, duration_s=3.0), "1 usable file.*at least 2 are needed.*about 4 s"),
        (_files(2, lambda _: "same", duration_s=3.0), "all 2 usable files hold the same recording"),
    ],
)
def test_too_little_is_refused(files, message):
    with pytest.raises(DataError, match=message):
        split_files(files, 0.5)


def test_files_of_one_name_are_told_apart_by_as_many_folders_as_it_takes():
    paths = ["/a/x/01.wav", "/b/x/01.wav", "/b/y/01.wav", "/b/02.wav"]
    split = Split(tuple(map(Segment, paths[:2])), tuple(map(Segment, paths[2:])))
    assert list(split.names.values()) == ["a/x/01.wav", "b/x/01.wav", "y/01.wav", "02.wav"]
