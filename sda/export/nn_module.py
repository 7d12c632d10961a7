"""The module that nn~ loads: its methods, and the attributes that are turned while it plays.

The host finds both by name: of every method the buffer `…_params` (channels in, samples a value in, channels out,
samples a value out), of every attribute `…_params` (the types of its values), `get_…` and `set_…`, which gives 0 or
refuses with −1. All of it is TorchScript, which hosts run without Python.

Letters in the shapes: `B` sounds side by side, `T` samples, `D` latent dimensions, `K` latents, `V` novelties,
`P` paths.

Reference:
    Caillon & Esling, "Streamable Neural Audio Synthesis With Non-Causal Convolutions", DAFx 2022; the hosts' own code,
    `nn_tilde`'s `backend.cpp` of version 1.6 and `nn.ar`'s of version 0.0.6.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from sda.export.scripting import exported
from sda.export.streams import Listener, Speaker
from sda.generation.passages import JOIN_POINTS
from sda.generation.steering import Direction

WHOLE_NUMBER, NUMBER = 1, 2
"""How nn~ calls the types of an attribute's values."""
TURNABLE = ("level", "brightness", "noisiness")
"""Controls that a stream can follow, the first by its gain, the others by their directions; decay changes whole events,
which a stream does not know."""
TRIGGER = 0.5
"""A trigger has come where its signal rises above."""


@dataclass(frozen=True)
class Bank:
    """Paths that the prior drew beforehand, for new sound without a prior."""

    paths: Tensor
    """`[V, P, D, K]`."""
    novelties: Sequence[float]
    """With which they were drawn, `V` of them."""


@dataclass(frozen=True)
class Knob:
    """A control that may be turned while it plays."""

    key: str
    """One of `TURNABLE`."""
    reach: float
    """It is turned so far to either side, in the descriptor's unit."""
    direction: Direction | None = None
    """None for level, which is a gain."""


class NNModule(nn.Module):
    """Encode, decode, both, or new sound, as streams that each keep a state of their own.

    Args:
        listeners: of `encode` and of `forward`.
        speakers: of `decode`, `forward` and `sample`.
        seed: of the noise, until the attribute is set.
    """

    def __init__(
        self,
        *,
        listeners: tuple[Listener, Listener],
        speakers: tuple[Speaker, Speaker, Speaker],
        n_loudness: int,
        bank: Bank,
        knobs: Sequence[Knob],
        sample_rate_hz: int,
        seed: int,
    ):
        super().__init__()
        self.listener, self.forward_listener = listeners
        self.speaker, self.forward_speaker, self.sample_speaker = speakers
        self.hop, self.sr, self.seed = self.listener.hop, sample_rate_hz, seed
        n_dims = self.listener.latent_dim
        self.delays = [
            one * self.hop
            for one in (self.listener.delay, self.speaker.delay, self.listener.delay + self.speaker.delay)
        ]
        self._register_methods(n_dims, n_loudness)
        self._register_knobs(n_dims, knobs)
        self.novelties, self.novelty_row = list(bank.novelties), 0
        self.path_number, self.point, self.n_fading, self.was_high = 0, 0, 0, False
        self.join_points, self.trigger = JOIN_POINTS, TRIGGER
        self.register_buffer("bank", bank.paths)
        self.register_buffer("last", torch.zeros(1, n_dims))
        self.register_buffer("left", torch.zeros(1, n_dims))
        self.register_buffer("forward_made", torch.zeros(1, 0))
        self.register_buffer("sample_made", torch.zeros(1, 0))
        self.bank: Tensor
        self.last: Tensor
        """The latent that was played last, `[B, D]`."""
        self.left: Tensor
        """The one that was played when another path was chosen, `[B, D]`."""
        self.forward_made: Tensor
        self.sample_made: Tensor

    def _register_methods(self, n_dims: int, n_loudness: int) -> None:
        latents = [f"loudness {n + 1}" for n in range(n_loudness)]
        latents += [f"timbre {n + 1}" for n in range(n_dims - n_loudness)]
        hop = self.hop
        self.methods = ["encode", "decode", "forward", "sample"]
        self._register("encode", (1, 1, n_dims, hop), ["sound"], latents)
        self._register("decode", (n_dims, hop, 1, 1), latents, ["sound"])
        self._register("forward", (1, 1, 1, 1), ["sound"], ["sound"])
        self._register("sample", (1, 1, 1, 1), ["trigger: the next path"], ["sound"])

    def _register(self, method: str, sizes: tuple[int, ...], inputs: list[str], outputs: list[str]) -> None:
        self.register_buffer(f"{method}_params", torch.tensor(sizes))
        setattr(self, f"{method}_input_labels", [f"(signal) {label}" for label in inputs])
        setattr(self, f"{method}_output_labels", [f"(signal) {label}" for label in outputs])

    def _register_knobs(self, n_dims: int, knobs: Sequence[Knob]) -> None:
        directions, odds = torch.zeros(len(TURNABLE), n_dims), torch.zeros(len(TURNABLE))
        self.reaches, self.turned = [0.0] * len(TURNABLE), [0.0] * len(TURNABLE)
        for knob in knobs:
            place = TURNABLE.index(knob.key)
            self.reaches[place] = knob.reach
            if knob.direction is not None:
                directions[place], odds[place] = knob.direction.latents, knob.direction.more_noise
        self.register_buffer("directions", directions)
        self.register_buffer("more_noise", odds)
        self.directions: Tensor
        self.more_noise: Tensor
        self.attributes = [*(key for key in TURNABLE if key in {knob.key for knob in knobs})]
        self.attributes += ["seed", "path", "novelty", "delay"]
        types = {key: [NUMBER] for key in (*TURNABLE, "novelty")} | {key: [WHOLE_NUMBER] for key in ("seed", "path")}
        for key, values in (types | {"delay": [WHOLE_NUMBER] * 3}).items():
            if key in self.attributes:
                self.register_buffer(f"{key}_params", torch.tensor(values))

    @exported
    def encode(self, sound: Tensor) -> Tensor:
        """`[B, 1, T]` → `[B, D, K]`."""
        latents: Tensor = self.listener(sound[:, 0])
        return latents

    @exported
    def decode(self, latents: Tensor) -> Tensor:
        """`[B, D, K]` → `[B, 1, T]`."""
        moved, odds = self._steer(latents)
        sound: Tensor = self.speaker(moved, odds, self.turned[0], self.seed)
        return sound[:, None]

    def forward(self, sound: Tensor) -> Tensor:
        """Sound through the model and back. `[B, 1, T]` → `[B, 1, T]`."""
        n_items, n_samples = sound.shape[0], sound.shape[2]
        if self.forward_made.shape[0] != n_items:
            self.forward_made = torch.zeros(n_items, 0)
        moved, odds = self._steer(self.forward_listener(sound[:, 0]))
        made = torch.cat([self.forward_made, self.forward_speaker(moved, odds, self.turned[0], self.seed)], dim=1)
        if made.shape[1] < n_samples:  # blocks that are no whole latents: all comes a latent later from here on
            made = torch.cat([torch.zeros(n_items, self.hop), made], dim=1)
        self.forward_made = made[:, n_samples:].clone()
        return made[:, None, :n_samples]

    @exported
    def sample(self, trigger: Tensor) -> Tensor:
        """New sound along the paths of the bank; a trigger goes on to the next one. `[B, 1, T]` → `[B, 1, T]`."""
        n_items, n_samples = trigger.shape[0], trigger.shape[2]
        if self.sample_made.shape[0] != n_items:
            self.sample_made = torch.zeros(n_items, 0)
            self.last, self.left = torch.zeros(2, n_items, self.last.shape[1]).unbind(0)
            self.n_fading = 0
        made, place = [self.sample_made], 0
        n_made = self.sample_made.shape[1]
        while n_made < n_samples:
            self._heed(trigger[:, 0, place : place + self.hop])
            moved, odds = self._steer(self._play(n_items))
            made.append(self.sample_speaker(moved, odds, self.turned[0], self.seed))
            place, n_made = place + self.hop, n_made + self.hop
        self._heed(trigger[:, 0, place:])
        sound = torch.cat(made, dim=1)
        self.sample_made = sound[:, n_samples:].clone()
        return sound[:, None, :n_samples]

    def _steer(self, latents: Tensor) -> tuple[Tensor, Tensor]:
        """Latents as the knobs change them, and what is added to the log odds of noise. → `[B, D, K]`, `[B, K]`."""
        odds = torch.zeros(latents.shape[0], latents.shape[2])
        for place, value in enumerate(self.turned):
            if place > 0 and value != 0.0:
                latents = latents + self.directions[place][None, :, None] * value
                odds = odds + self.more_noise[place] * value
        return latents, odds

    def _heed(self, trigger: Tensor) -> None:
        """Go on to the next path if a trigger comes in `[B, T]`, of any sound."""
        if trigger.shape[1] > 0:
            high = (trigger > self.trigger).any(0)
            rises = bool((high[1:] & ~high[:-1]).any()) or (bool(high[0]) and not self.was_high)
            self.was_high = bool(high[-1])
            if rises:
                self._choose(self.path_number + 1)

    def _choose(self, number: int) -> None:
        """Go over to another path, from its beginning, softly."""
        self.path_number, self.point = number % self.bank.shape[1], 0
        self._fade()

    def _fade(self) -> None:
        self.left, self.n_fading = self.last, self.join_points - 1

    def _play(self, n_items: int) -> Tensor:
        """The next latent of each sound's path, `[B, D, 1]`; sounds side by side follow different paths."""
        n_paths, n_points = self.bank.shape[1], self.bank.shape[3]
        if self.point >= n_points:
            self._choose(self.path_number + 1)
        numbers = (torch.arange(n_items) + self.path_number) % n_paths
        latents = self.bank[self.novelty_row, numbers, :, self.point]
        if self.n_fading > 0:
            latents = torch.lerp(self.left, latents, 1.0 - self.n_fading / self.join_points)
            self.n_fading -= 1
        self.last, self.point = latents, self.point + 1
        return latents[:, :, None]

    @exported
    def get_methods(self) -> list[str]:
        """Names of all methods."""
        return self.methods

    @exported
    def get_attributes(self) -> list[str]:
        """Names of all attributes."""
        return self.attributes

    @exported
    def set_sample_rate(self, sample_rate: int) -> None:
        """Told by the host; the network knows one rate, and sounds otherwise at another."""
        if sample_rate != self.sr:
            print("this model speaks at", self.sr, "Hz and the host at", sample_rate, "Hz: pitch and time will be off")

    def _turn(self, place: int, value: float) -> int:
        if math.isnan(value):
            return -1
        self.turned[place] = min(max(value, -self.reaches[place]), self.reaches[place])
        return 0

    @exported
    def get_level(self) -> list[float]:
        """dB louder than it would be."""
        return [self.turned[0]]

    @exported
    def set_level(self, value: float) -> int:
        """As all knobs: what is further than its reach counts as its reach."""
        return self._turn(0, value)

    @exported
    def get_brightness(self) -> list[float]:
        """Octaves brighter."""
        return [self.turned[1]]

    @exported
    def set_brightness(self, value: float) -> int:
        """See `set_level`."""
        return self._turn(1, value)

    @exported
    def get_noisiness(self) -> list[float]:
        """How much noisier, from a tone at 0 to white noise at 1."""
        return [self.turned[2]]

    @exported
    def set_noisiness(self, value: float) -> int:
        """See `set_level`."""
        return self._turn(2, value)

    @exported
    def get_seed(self) -> list[int]:
        """Of the noise."""
        return [self.seed]

    @exported
    def set_seed(self, value: int) -> int:
        """For noise that is drawn from now on."""
        if value < 0:
            return -1
        self.seed = value
        return 0

    @exported
    def get_path(self) -> list[int]:
        """Number of the path that `sample` follows, from 1."""
        return [self.path_number + 1]

    @exported
    def set_path(self, value: int) -> int:
        """Begin another one."""
        if value < 1 or value > self.bank.shape[1]:
            return -1
        self._choose(value - 1)
        return 0

    @exported
    def get_novelty(self) -> list[float]:
        """With which the paths that `sample` follows were drawn."""
        return [self.novelties[self.novelty_row]]

    @exported
    def set_novelty(self, value: float) -> int:
        """Go on in those of the nearest novelty that the file has."""
        if math.isnan(value):
            return -1
        nearest = 0
        for row, novelty in enumerate(self.novelties):
            if abs(novelty - value) < abs(self.novelties[nearest] - value):
                nearest = row
        if nearest != self.novelty_row:
            self.novelty_row = nearest
            self._fade()
        return 0

    @exported
    def get_delay(self) -> list[int]:
        """Of `encode`, `decode` and `forward`, samples, beside the host's own buffer."""
        return self.delays

    @exported
    def set_delay(self, encode: int, decode: int, forward: int) -> int:
        """It cannot be changed."""
        return -1
