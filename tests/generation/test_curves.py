import pytest
import torch

from sda.config_field import Range
from sda.errors import ConfigError
from sda.generation.curves import Curve, load_curve, parse_curve


def test_between_points_a_curve_is_straight_and_outside_it_is_held():
    curve = parse_curve("1:0, 3:1, 4:0.5")
    times_s = torch.tensor([0.0, 1.0, 2.0, 3.0, 3.5, 4.0, 100.0])
    torch.testing.assert_close(curve.at(times_s), torch.tensor([0.0, 0.0, 0.5, 1.0, 0.75, 0.5, 0.5]))
    assert not curve.is_constant


def test_two_points_at_one_time_are_a_step():
    torch.testing.assert_close(parse_curve("0:0,2:0,2:1").at(torch.tensor([1.9, 2.0, 2.1])), torch.tensor([0.0, 1, 1]))


@pytest.mark.parametrize("text", ["0.3", 0.3, "0:0.3", "0:0.3,9:0.3"])
def test_a_number_is_a_curve_that_does_not_change(text):
    curve = parse_curve(text)
    assert curve.is_constant
    assert curve.describe() == 0.3
    torch.testing.assert_close(curve.at(torch.arange(3)), torch.full((3,), 0.3))


@pytest.mark.parametrize("text", ["0:0,4:1", "0.1:1e-05,10:30000", "-1:-2.5,0:0.1,0:7"])
def test_what_a_curve_is_described_by_gives_it_again(text):
    curve = parse_curve(text)
    assert curve.describe() == text
    assert parse_curve(curve.describe()) == curve


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("0:0,4", "'4' in '0:0,4' is no point of a curve: give a number, or times in s and values, such as 0:0,4:1"),
        ("0:0:1,4:1", "'0:0:1' in '0:0:1,4:1' is no point"),
        ("up", "'up' is no number"),
        ("0:0,4:high", "'high' in '0:0,4:high' is no number"),
        ("0:nan,4:1", "'nan' in '0:nan,4:1' is no number"),
        ("4:0,0:1", "the time 0 s stands behind 4 s: give times that rise"),
        ("", "'' is no number"),
    ],
)
def test_what_is_no_curve_is_told_with_what_would_be_one(text, words):
    with pytest.raises(ConfigError) as caught:
        parse_curve(text)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    "text", ["0,0\n4,1\n", "time,share\n0;0\n4;1".replace(",", ";"), "\ufeff0\t0\n\n4\t1", "0, 0\n4, 1"]
)
def test_a_file_of_two_columns_is_a_curve(tmp_path, text):
    path = tmp_path / "rise.csv"
    path.write_text(text)
    assert load_curve(str(path), "share") == Curve((0.0, 4.0), (0.0, 1.0))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"0,0\n4,up\n", "'up' in '4,up' is no number"),
        (b"0,0\n4\n", "'4' in the file is no point of a curve: give a time in s and a value"),
        (b"", "the file has 0 points"),
        (b"\xff\xfe\xfd", "the file cannot be read (it is no text)"),
        (None, "the file cannot be read (No such file or directory)"),
    ],
)
def test_a_file_that_is_no_curve_is_told_with_its_key(tmp_path, content, words):
    path = tmp_path / "rise.csv"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        load_curve(str(path), "share")
    assert str(caught.value).startswith(f"share={path}: ")
    assert words in str(caught.value)


def test_values_that_are_not_allowed_are_told_with_their_time():
    allowed = Range(at_least=0, at_most=1)
    with pytest.raises(
        ConfigError, match=r"share=0:0,4:2 is out of range: 2 at 4 s; allowed is at least 0 and at most 1"
    ):
        load_curve("0:0,4:2", "share", allowed)
    with pytest.raises(ConfigError, match=r"share=3 is out of range: allowed is at least 0"):
        load_curve(3, "share", allowed)
    assert load_curve("0:0,4:1", "share", allowed).values == (0.0, 1.0)
