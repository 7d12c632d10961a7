"""Values that change over time: points, straight lines between them, and nothing new outside.

Letters in the shapes: `K` moments.
"""

import csv
import math
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import torch
from torch import Tensor

from sda.config_field import Range
from sda.errors import ConfigError

MOST_POINTS = 100_000
"""Of a curve in a file."""
FILE_ENDINGS = (".csv", ".tsv", ".txt")
"""What a file with a curve in it is called."""
_SEPARATORS = ",;\t "


@dataclass(frozen=True)
class Curve:
    """A value over time: linear between its points, and before the first and behind the last as it is there."""

    times_s: tuple[float, ...]
    """Of each point; none lies before the one that stands before it. Two at one time are a step."""
    values: tuple[float, ...]

    def __post_init__(self) -> None:
        if not self.times_s or len(self.times_s) != len(self.values):
            raise ValueError(f"a curve has a value for every time: {len(self.times_s)} and {len(self.values)}")

    @property
    def is_constant(self) -> bool:
        """Whether it is one number."""
        return len(set(self.values)) == 1

    def at(self, times_s: Tensor) -> Tensor:
        """Its values at some times. `[K]` → `[K]`, float32.

        >>> Curve((0.0, 4.0), (0.0, 1.0)).at(torch.tensor([-1.0, 1.0, 9.0])).tolist()
        [0.0, 0.25, 1.0]
        """
        asked = times_s.double().contiguous()
        times, values = (torch.tensor(one, dtype=torch.float64) for one in (self.times_s, self.values))
        behind = torch.searchsorted(times, asked, right=True)
        left, right = (behind - 1).clamp(min=0), behind.clamp(max=len(times) - 1)
        share = (asked - times[left]) / (times[right] - times[left]).clamp(min=1e-12)
        return torch.lerp(values[left], values[right], share.clamp(0.0, 1.0)).float()

    def describe(self) -> float | str:
        """What `parse_curve` reads as the same curve: a number where it is one.

        >>> Curve((0.0, 4.0), (0.0, 1.0)).describe(), Curve((0.0,), (0.5,)).describe()
        ('0:0,4:1', 0.5)
        """
        if self.is_constant:
            return self.values[0]
        return ",".join(
            f"{time_s!r}:{value!r}".replace(".0:", ":").removesuffix(".0")
            for time_s, value in zip(self.times_s, self.values, strict=True)
        )


def parse_curve(text: str | float) -> Curve:
    """A curve as it is written: a number, or points with commas between them, each a time in s and a value.

    >>> parse_curve("0:0,4:1")
    Curve(times_s=(0.0, 4.0), values=(0.0, 1.0))
    >>> parse_curve(0.5).is_constant
    True

    Raises:
        ConfigError: it is no curve.
    """
    written = str(text).strip()
    if ":" not in written:
        return Curve((0.0,), (_read_number(written, written),))
    points = [point.split(":") for point in written.split(",")]
    for point in points:
        if len(point) != 2:
            raise ConfigError(f"{':'.join(point)!r} in {written!r} is no point of a curve: {_ALLOWED}.")
    return _connect([(_read_number(time_s, written), _read_number(value, written)) for time_s, value in points])


def load_curve(given: str | float, key: str, allowed: Range | None = None) -> Curve:
    """The curve that a key was given: a number, points, or a CSV file of two columns, time in s and value.

    Args:
        key: what it is called where something is wrong with it.
        allowed: values; any if not given.

    Raises:
        ConfigError: it is no curve, or leaves what is allowed, or there is no such file.
    """
    try:
        is_file = isinstance(given, str) and given.lower().endswith(FILE_ENDINGS)
        curve = _read_file(Path(str(given)).expanduser()) if is_file else parse_curve(given)
    except ConfigError as error:
        raise ConfigError(f"{key}={given}: {error}") from None
    for time_s, value in zip(curve.times_s, curve.values, strict=True):
        if allowed is not None and not allowed.allows(value):
            at = "" if curve.is_constant else f" {value:g} at {time_s:g} s"
            raise ConfigError(f"{key}={given} is out of range:{at and f'{at};'} allowed is {allowed}.")
    return curve


_ALLOWED = "give a number, or times in s and values, such as 0:0,4:1, or a CSV file of two columns"


def _read_file(path: Path) -> Curve:
    """The curve in a file with a time in s and a value on each line; a line of names at its top is passed over."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            text = file.read(64 * MOST_POINTS)
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise ConfigError(f"the file cannot be read ({reason})") from None
    lines = [line.strip() for line in text.splitlines()]
    separator = next((one for one in _SEPARATORS if any(one in line for line in lines)), ",")
    rows = [row for row in csv.reader(lines, delimiter=separator, skipinitialspace=True) if row]
    if rows and not _is_number(rows[0][0]):
        rows = rows[1:]
    if not 0 < len(rows) <= MOST_POINTS:
        raise ConfigError(
            f"the file has {len(rows)} points: give 1 to {MOST_POINTS} lines, each with a time and a value"
        )
    for row in rows:
        if len(row) != 2:
            raise ConfigError(
                f"{separator.join(row)!r} in the file is no point of a curve: give a time in s and a value"
            )
    return _connect(
        [(_read_number(row[0], separator.join(row)), _read_number(row[1], separator.join(row))) for row in rows]
    )


def _connect(points: list[tuple[float, float]]) -> Curve:
    times_s, values = zip(*points, strict=True)
    for before, after in pairwise(times_s):
        if after < before:
            raise ConfigError(f"the time {after:g} s stands behind {before:g} s: give times that rise")
    return Curve(times_s, values)


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def _read_number(text: str, whole: str) -> float:
    if not _is_number(text):
        where = f" in {whole!r}" if text != whole else ""
        raise ConfigError(f"{text!r}{where} is no number: {_ALLOWED}")
    return float(text)
