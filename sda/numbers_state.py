"""States of nothing but plain numbers, as frozen dataclasses that can be saved and read back."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Self


@dataclass(frozen=True)
class NumbersState:
    """To be inherited by dataclasses whose every field is a float."""

    def to_dict(self) -> dict[str, float]:
        """JSON-ready; `from_dict` reads it back."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, float]) -> Self:
        """The state that `to_dict` wrote.

        Raises:
            KeyError: a value is missing.
            TypeError, ValueError: a value is not a finite number.
        """
        state = cls(**{column.name: float(values[column.name]) for column in fields(cls)})
        bad = {name: value for name, value in asdict(state).items() if not math.isfinite(value)}
        if bad:
            raise ValueError(f"{cls.__name__} cannot go on from {bad}: every value has to be finite")
        return state
