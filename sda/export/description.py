"""What an export says of its model, whichever format it has."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, count
from typing import Any

from sda.config.schema import TrainRunConfig
from sda.config_field import list_traits
from sda.data.corpus import to_amplitude
from sda.evaluation.controls import ProvenControls
from sda.printable import make_printable

NAME = re.compile(r"\w[\w .-]{0,99}")
"""What a model may be called, as files are called after it."""
MOST_LETTERS = 300
"""Of a recording's name."""
EARLIER = "an earlier model"
"""What stands for the model that it began with, whose place is nobody's business, and that there was one is."""
_SECTIONS_OF_RUNS = ("tracking", "sweep", "preview", "checkpoint")
"""Of a configuration, what is about a run and where it was told of, and not about what was learned."""


@dataclass(frozen=True)
class Description:
    """Facts about a model that go with it. What names the user's files or folders is not among them."""

    name: str
    """Of the model, and of the files that are written, without an ending."""
    epoch: int
    """The epoch that it is of."""
    config: dict[str, Any]
    """Its configuration as plain values, resolved, without places on this machine."""
    license: str
    """What the user says that others may do with it; empty where nothing was said."""
    has_names: bool = False
    """Whether recordings are called by their own names."""
    holds_sound: bool = False
    """Whether it holds the sounds that it learned from, as latents, from which they can be heard again."""
    files: Mapping[str, str] = field(default_factory=dict)
    """SHA-256 of every sound, by what the recording is called."""
    groups: Mapping[str, str] = field(default_factory=dict)
    """Which of them share a recording: the number of the group, by what they are called."""
    split: Mapping[str, Any] = field(default_factory=dict)
    """What was trained on and what was held out, as checkpoints have it, by what they are called."""
    durations_s: Mapping[str, float] = field(default_factory=dict)
    """Seconds of sound that were trained on (`train`) and held out (`val`); empty where that is not known."""
    label: str = ""
    """The verdict in a word or two; empty where it was not evaluated."""
    verdict: str = ""
    """The same in sentences."""
    figures: Mapping[str, float] = field(default_factory=dict)
    """Of its evaluation, by their keys in `evaluation.json`; ends of intervals under `…_low` and `…_high`."""
    controls: ProvenControls | None = None
    """What it can be steered by, and what was heard of each; nothing where they were not tried."""

    @property
    def began_with_another(self) -> bool:
        """Whether it began with the weights of an earlier model, which learned from other sounds."""
        return bool(self.config.get("init_from"))

    @property
    def gain(self) -> float:
        """What sound is multiplied by before the network hears it, and divided by after it wrote it."""
        return to_amplitude(self.config["data"]["gain_db"])


def show_recordings(names: Sequence[str], *, with_names: bool) -> list[str]:
    """What recordings are called in an export: by number, or by names that lead nowhere and can be printed.

    >>> show_recordings(["rain/a.wav", "b.wav"], with_names=False)
    ['recording 1', 'recording 2']
    >>> show_recordings(["../rain/a.wav", "rain/a.wav"], with_names=True)
    ['rain/a.wav', 'rain/a.wav (2)']
    """
    if not with_names:
        return [f"recording {number}" for number in range(1, len(names) + 1)]
    shown: list[str] = []
    for name in names:
        parts = [part for part in re.split(r"[/\\]", name) if part not in ("", ".", "..")]
        plain = make_printable("/".join(parts))[:MOST_LETTERS] or "recording"
        shown.append(next(one for one in chain([plain], (f"{plain} ({n})" for n in count(2))) if one not in shown))
    return shown


def leads_nowhere(name: str) -> bool:
    """Whether a name is one that `show_recordings` gives.

    >>> leads_nowhere("rain/a.wav"), leads_nowhere("../a.wav"), leads_nowhere("a\\x1b[2J")
    (True, False, False)
    """
    parts = re.split(r"[/\\]", name)
    return name == make_printable(name) and len(name) <= 2 * MOST_LETTERS and not {"", ".", ".."} & {*parts}


def hide_places(config: Mapping[str, Any]) -> dict[str, Any]:
    """A configuration as plain values without what names a path or a place, and without what is about a run alone.

    >>> hide_places({"seed": 3, "data": {"root": "/home/ada/rain", "gain_db": 2.0}, "tracking": {"uri": "sqlite:///x"}})
    {'seed': 3, 'data': {'root': '', 'gain_db': 2.0}}
    """
    kept = {key: dict(value) if isinstance(value, Mapping) else value for key, value in config.items()}
    for section in _SECTIONS_OF_RUNS:
        kept.pop(section, None)
    for key, traits in list_traits(TrainRunConfig).items():
        section, _, name = key.rpartition(".")
        values = kept.get(section) if section else kept
        if (traits.is_path or traits.is_place) and isinstance(values, dict) and values.get(name):
            values[name] = {"resume": None, "init_from": EARLIER}.get(key, "")
    return kept
