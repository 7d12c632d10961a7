"""A configuration field that documents and guards itself: meaning, unit and range stand beside the default."""

import math
from collections.abc import Mapping
from dataclasses import MISSING, Field, dataclass, field, fields, is_dataclass
from enum import Enum
from typing import Any

from sda.errors import ConfigError


@dataclass(frozen=True)
class Range:
    """The numbers a field accepts; a bound that is `None` is not there."""

    at_least: float | None = None
    at_most: float | None = None
    above: float | None = None
    below: float | None = None

    def allows(self, value: float) -> bool:
        """Whether the value lies inside; NaN never does.

        >>> Range(at_least=0, below=1).allows(1.0)
        False
        """
        return (
            not math.isnan(value)
            and (self.at_least is None or value >= self.at_least)
            and (self.at_most is None or value <= self.at_most)
            and (self.above is None or value > self.above)
            and (self.below is None or value < self.below)
        )

    def __str__(self) -> str:
        """In words a person reads.

        >>> str(Range(at_least=0, below=1))
        'at least 0 and below 1'
        """
        bounds = {"at least": self.at_least, "above": self.above, "at most": self.at_most, "below": self.below}
        return " and ".join(f"{words} {bound:g}" for words, bound in bounds.items() if bound is not None)


@dataclass(frozen=True)
class Traits:
    """What is to be known of a key beside its value; what a section says holds for all keys in it."""

    resumable: bool = False
    """Whether it may be given with `resume`: it changes how long and where a run goes on, not what it learns."""
    decides: bool = True
    """Whether two runs that differ in it are two jobs of a sweep."""
    compared: bool = True
    """Whether it tells runs apart in what they learned."""
    in_loss: bool = False
    """Whether runs that differ in it have losses that cannot be compared."""
    is_path: bool = False
    """Whether its value is always a path, a pattern or a plain name, never a Hydra expression."""
    is_folder: bool = False
    """Whether its value is a folder, which is kept as the same from wherever one stands."""
    takes_several: bool = False
    """Whether its value may be several folders, written as `sda.roots` says."""
    is_control: bool = False
    """Whether it turns a control of sound."""
    is_curve: bool = False
    """Whether its value may change over time: a number, `0:0,4:1`, or a file; never a Hydra expression with a colon."""
    is_wanted: bool = False
    """Whether it says what sounds shall be like, as `brightness:0.9,pitch:0.2`; never a Hydra expression."""
    is_place: bool = False
    """Whether it says where things are sent or kept, which only the command line may."""
    repeats: bool = False
    """Whether another key has its value, which it only sets, or is set by."""
    is_detail: bool = False
    """Whether it is worth naming only where it is not what it is by default."""
    only_for: str = ""
    """The one model that knows it; empty for all."""
    modes: str = ""
    """The modes of `generate.py` that know it, with commas; empty for all."""


def setting(
    default: Any,
    help: str,
    *,
    unit: str = "",
    at_least: float | None = None,
    at_most: float | None = None,
    above: float | None = None,
    below: float | None = None,
    **traits: Any,
) -> Any:
    """A dataclass field with its help text, unit, allowed range and traits.

    A default that is a class or a list is made anew for every instance.

    Args:
        traits: fields of `Traits` that differ from its defaults.
    """
    known = Traits(**traits)
    words = f"{known.only_for}: {help}" if known.only_for and help else help
    metadata = {"help": words, "unit": unit, "range": Range(at_least, at_most, above, below), "traits": traits}
    if isinstance(default, type):
        return field(default_factory=default, metadata=metadata)
    if isinstance(default, list):
        return field(default_factory=default.copy, metadata=metadata)
    return field(default=default, metadata=metadata)


def check_settings(section: Any, prefix: str) -> None:
    """Check every number of a configuration section against its range; interpolations are left for later.

    Args:
        section: a dataclass whose fields were made by `setting`.
        prefix: the section's place in the configuration, such as `training`; empty at the top.

    Raises:
        ConfigError: with the full key, the value, what is allowed and what the key does.
    """
    for item in fields(section):
        value = getattr(section, item.name)
        allowed = item.metadata.get("range")
        if allowed is None or isinstance(value, bool) or not isinstance(value, (int, float)):
            continue
        if not allowed.allows(value):
            key = f"{prefix}.{item.name}" if prefix else item.name
            unit = f" {item.metadata['unit']}" if item.metadata["unit"] else ""
            raise ConfigError(f"{key}={value} is out of range: allowed is {allowed}{unit}. {item.metadata['help']}")


def list_traits(schema: Any, prefix: str = "", inherited: Mapping[str, Any] | None = None) -> dict[str, Traits]:
    """The traits of every key of a schema, sections among them, in the order in which they are written.

    Args:
        inherited: traits of the section that the schema stands in.
    """
    found: dict[str, Traits] = {}
    for item in fields(schema):
        traits = {**(inherited or {}), **item.metadata.get("traits", {})}
        found[f"{prefix}{item.name}"] = Traits(**traits)
        nested = _find_section(item)
        if nested is not None:
            found |= list_traits(nested, f"{prefix}{item.name}.", traits)
    return found


def list_defaults(schema: Any, prefix: str = "") -> dict[str, str]:
    """What every key of a schema is by default, as text; sections are left out."""
    found: dict[str, str] = {}
    for item in fields(schema):
        nested = _find_section(item)
        if nested is None:
            found[f"{prefix}{item.name}"] = _show_default(item)
        else:
            found |= list_defaults(nested, f"{prefix}{item.name}.")
    return found


def _find_section(item: "Field[Any]") -> Any:
    """The dataclass that a field is a section of; nothing where it is a value."""
    nested: Any = item.default_factory
    return nested if isinstance(nested, type) and is_dataclass(nested) else None


def describe_settings(schema: Any, prefix: str = "") -> list[tuple[str, str, str]]:
    """Every key below a section as `(key, default, "help [unit, range]")`, in the order they are written.

    Sections nested in `schema` are described in place; a field without help text is left out.
    """
    rows: list[tuple[str, str, str]] = []
    for item in fields(schema):
        key = f"{prefix}{item.name}"
        nested = _find_section(item)
        if nested is not None:
            rows += describe_settings(nested, f"{key}.")
        elif "help" in item.metadata:
            rows.append((key, _show_default(item), _describe(item)))
    return rows


def _describe(item: "Field[Any]") -> str:
    facts = ", ".join(fact for fact in (item.metadata["unit"], str(item.metadata["range"])) if fact)
    if isinstance(item.default, Enum):
        facts = "one of " + ", ".join(member.name for member in type(item.default))
    return f"{item.metadata['help']} [{facts}]" if facts else str(item.metadata["help"])


def _show_default(item: "Field[Any]") -> str:
    if item.default_factory is not MISSING:
        return str(item.default_factory())
    if isinstance(item.default, Enum):
        return item.default.name
    return "" if item.default in (None, "???") else str(item.default)
