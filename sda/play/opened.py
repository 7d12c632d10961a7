"""What the page knows of a run that is open, and can do with it; whoever opens runs fills it in."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

from sda.config.verbs import GenerateConfig

if TYPE_CHECKING:
    from sda.runs.generated_folder import Made

    Watch = Callable[[Iterator[Made], int], Iterable[Made]]

Path2D = Sequence[tuple[float, float]]
"""Points of the map, one after the other."""


class Control(TypedDict):
    """A control of sound, as it was found on sound that the model never trained on."""

    key: str
    """Of `GenerateConfig`."""
    name: str
    unit: str
    low: float
    high: float
    reliability: float
    """Share of held-out sounds on which it did what its name says, or a correlation: 0 to 1."""
    is_named: bool
    """Whether it has a name in its own right, and does not only tend to do something."""
    leakage: str
    """What else moves with it, in words; empty where nothing does."""


class MapPlace(TypedDict):
    """A moment of a recording on the map."""

    name: str
    start_s: float
    side: str
    """`train` or `held_out`."""
    x: float
    y: float


@dataclass(frozen=True)
class Mode:
    """A way of making sound."""

    name: str
    n_sources: int
    """Sounds that it starts from."""


@dataclass(frozen=True)
class OpenedRun:
    """A run whose model is in memory."""

    rate_hz: int
    generated: Path
    """Folder below which every call has its own."""
    kept: Path
    modes: Sequence[Mode]
    generate: "Callable[[GenerateConfig, Watch], Path]"
    """Writes the sounds of a call; the folder."""
    held_out: Mapping[str, Path]
    """What it may start from without being given any, by name."""
    recordings: Mapping[str, Path]
    """What new sound may be made of, by the name that its provenance has; empty where those files are not known."""
    defaults: Mapping[str, float]
    """What keys stand at with this run where they are not given."""
    controls: Sequence[Control] = ()
    """Those that were tried."""
    try_controls: Callable[[Callable[[float], None]], Sequence[Control]] | None = None
    """Finds and tries them, told how much of it is done; none where they were, or the model has none."""
    read_map: Callable[[], Sequence[MapPlace]] | None = None
    """Places of the map; none where the run has no map."""
    plan_walk: "Callable[[Path2D], dict[str, str]] | None" = None
    """The settings of a walk along a path on the map."""
