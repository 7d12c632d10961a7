"""A call of `sda generate` from Python: the same order, whose sounds are given back in place of written."""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from enum import Enum
from typing import Any

import torch

from sda.api.settings import settle
from sda.api.sound import Sound
from sda.app.generate import order_sounds
from sda.app.loading import TrainedRun
from sda.app.making import NEED_TWO, NEEDS_NONE, Order, make
from sda.app.steering import find_controls, needs_controls
from sda.audio.given import GivenSound
from sda.config.verbs import GenerateConfig
from sda.config_field import list_traits
from sda.errors import ConfigError, DataError
from sda.evaluation.controls import ProvenControls
from sda.runs.generated_record import tell_origin

_SAID_ELSEWHERE = {
    **dict.fromkeys(("run", "checkpoint", "device", "data"), "it is chosen when the model is loaded: sda.load"),
    "mode": "give it to Model.make, or call the method of that name",
    "source": "give the sound itself",
    **dict.fromkeys(("output", "format"), "nothing is written: give it to Sound.save"),
    "duration_s": "it is called seconds here",
}
"""Keys of `sda generate` that are no settings here, and what is to be done."""


class Asker:
    """Asks a run for sounds; what was found of its controls is kept."""

    def __init__(self, run: TrainedRun):
        self.run = run
        self._proven: ProvenControls | None = None

    def prove(self) -> ProvenControls:
        """The run's controls, found and tried where they were not."""
        if self._proven is None:
            self._proven = find_controls(self.run)
        return self._proven

    def settle(
        self, mode: str, settings: Mapping[str, Any], *, seconds: float | str = 4.0, seed: int = 0, n: int = 1
    ) -> GenerateConfig:
        """What `sda generate` would be told.

        Args:
            settings: keys of it.

        Raises:
            ConfigError: a setting is unknown, out of range, or of no use with this mode.
        """
        for key in settings:
            if key in _SAID_ELSEWHERE:
                raise ConfigError(f"{key} is no setting here: {_SAID_ELSEWHERE[key]}.")
        own = {"run": str(self.run.run_dir), "mode": mode, "duration_s": seconds, "seed": seed, "n": n}
        config: GenerateConfig = settle("generate", {**settings, **own})
        for key, traits in list_traits(GenerateConfig).items():
            if settings.get(key) is not None and traits.modes and mode not in traits.modes.split(","):
                raise ConfigError(f"{key}={settings[key]} has no use with {mode}: it is for {traits.modes}.")
        return config

    def order(self, config: GenerateConfig, given: Sequence[GivenSound]) -> Order:
        """What is to be made of given sound.

        Raises:
            ConfigError: a control is not to be turned so.
            DataError: there are too few sounds, or the run's own are needed and gone.
        """
        return order_sounds(self.run, config, self.prove() if needs_controls(config) else None, given)

    def make(self, config: GenerateConfig, given: Sequence[GivenSound]) -> list[Sound]:
        """The sounds of an order, as loud as those that the model was trained on.

        Raises:
            ConfigError, DataError: as `order`; or there are other sounds than the mode starts from.
        """
        mode = config.mode
        least = 0 if mode in NEEDS_NONE else 2 if mode in NEED_TWO else 1
        if len(given) < least or (given and not least):
            starts = f"{least or 'no'} given sound{'s'[: least != 1]}"
            raise DataError(f"{mode.value} starts from {starts}, not from {len(given)}.")
        order = self.order(config, given)
        sounds = []
        for number, made in enumerate(make(order), start=1):
            waveform = torch.cat([1.0 / order.gain * block for block in made.stretches]).numpy()
            provenance = made.provenance.describe() if made.provenance is not None else {}
            origin = self._tell_origin(config, made.sources, number)
            sounds.append(Sound(waveform, order.rate_hz, config.seed, number, tuple(made.sources), provenance, origin))
        return sounds

    def _tell_origin(self, config: GenerateConfig, sources: Sequence[str], number: int) -> str:
        """As a file of `sda generate` says it."""
        checkpoint = self.run.checkpoint
        told = {item.name: getattr(config, item.name) for item in fields(config)}
        given = {key: value.value if isinstance(value, Enum) else value for key, value in told.items() if key != "data"}
        state = "best" if checkpoint.is_file else checkpoint.folder.name
        own = {"epoch": checkpoint.progress["epoch"], "checkpoint": state}
        return tell_origin({**given, **own, "source": sources[0] if len(sources) == 1 else ""}, number)
