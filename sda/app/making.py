"""The modes of `generate.py`: from a configuration and given sound files to sounds, one by one."""

import math
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from sda.audio.given import GivenSound
from sda.config.verbs import AUTO_LENGTH, LONGEST_S, GenerateConfig, GenerateMode
from sda.errors import ConfigError, DataError
from sda.generation.atlas import parse_places
from sda.generation.curves import parse_curve
from sda.generation.modes import (
    Loudness,
    blend,
    continue_stretches,
    fade_ends,
    loop_stretches,
    vary_stretches,
)
from sda.generation.provenance import Provenance
from sda.generation.sampling import draw_new_sound, note_sources_of
from sda.generation.synthesizer import (
    Synthesizer,
    encode_path,
    morph_stretches,
    reconstruct_stretches,
    take_seed,
)
from sda.generation.transfer import transfer_stretches
from sda.generation.walk import lead_past, map_sound, walk_stretches
from sda.runs.generated_folder import Made

LONGEST_GIVEN_S = 30.0
"""Of a sound that is continued, what is taken: its end."""
LONGEST_LOOP_S = 600.0
LEAST_OF_PEAK = 10 ** (-60 / 20)
"""What lies so far below the loudest sample at the end of a sound is the silence behind it."""

NEEDS_NONE = (GenerateMode.sample, GenerateMode.loop, GenerateMode.walk)
"""Modes that start from no given sound."""
NEED_TWO = (GenerateMode.interpolate, GenerateMode.blend)
"""Modes that start from two."""
ONE_A_SOURCE = (GenerateMode.reconstruct, GenerateMode.transfer)
"""Modes that make one sound of each source."""


@dataclass(frozen=True)
class Order:
    """What is asked for."""

    synthesizer: Synthesizer
    sources: Sequence[GivenSound]
    config: GenerateConfig
    gain: float
    """What is read is made louder by this factor: as loud as the model knows it."""

    @property
    def n(self) -> int:
        """How many sounds are made."""
        n = self.config.n
        return min(n, len(self.sources)) if self.config.mode in ONE_A_SOURCE else n

    @property
    def rate_hz(self) -> int:
        """Of all sound."""
        return self.synthesizer.features.sample_rate_hz

    @property
    def n_samples(self) -> int:
        """The length that was given; the default's where it is drawn."""
        duration_s = self.config.duration_s
        return max(1, round((4.0 if duration_s == AUTO_LENGTH else float(duration_s)) * self.rate_hz))

    @property
    def n_points(self) -> int:
        """Points of a path of that length."""
        return self.synthesizer.count_points(self.n_samples)

    def note(self) -> Provenance:
        """Collects the sources of one sound."""
        return note_sources_of(self.synthesizer)

    def choose(self, number: int) -> GivenSound:
        """The source of a sound by its number."""
        return self.sources[(number - 1) % len(self.sources)]

    def choose_pair(self, number: int) -> list[GivenSound]:
        """One source and the next; after the last comes the first."""
        return [self.sources[(number - 1 + place) % len(self.sources)] for place in (0, 1)]

    def follow(self, source: GivenSound) -> Tensor:
        """The path of a source's beginning, `[D, K]`."""
        return encode_path(self.synthesizer, _read(self, source), self.n_points)


def make(order: Order) -> Iterator[Made]:
    """The sounds of an order, each made while it is asked for."""
    return _MAKERS[order.config.mode](order)


def _sample(order: Order) -> Iterator[Made]:
    synthesizer, config = order.synthesizer, order.config
    is_auto = config.duration_s == AUTO_LENGTH
    if is_auto and not synthesizer.prior.names:
        raise ConfigError(
            "duration_s=auto is not possible with this run: it is from before runs kept how long their sounds were. "
            "Give seconds, such as duration_s=4."
        )
    n_samples = None if is_auto else order.n_samples
    longest = round(LONGEST_S * order.rate_hz)  # whatever a model says of how long its recordings were
    for number in range(1, order.n + 1):
        new = draw_new_sound(synthesizer, n_samples, seed=config.seed, number=number, longest=longest)
        yield Made(new.stretches, [], new.provenance, new.n_silent)


def _continue(order: Order) -> Iterator[Made]:
    for number in range(1, order.n + 1):
        source, provenance = order.choose(number), order.note()
        given = _read_end(order, source)
        sound = continue_stretches(
            order.synthesizer, given, order.n_samples, seed=order.config.seed, number=number, note=provenance.add
        )
        yield Made(sound, [source.name], provenance)


def _vary(order: Order) -> Iterator[Made]:
    for number in range(1, order.n + 1):
        source, provenance = order.choose(number), order.note()
        n_heard = sum(len(block) for block in _read(order, source))
        sound = vary_stretches(
            order.synthesizer, order.follow(source), n_heard, order.config.strength,
            seed=order.config.seed, number=number, note=provenance.add,
        )  # fmt: skip
        yield Made(sound, [source.name], provenance if order.config.strength else None)


def _blend(order: Order) -> Iterator[Made]:
    loudness, hop = Loudness(order.config.loudness.value), order.synthesizer.hop_samples
    share = parse_curve(order.config.share).at(torch.arange(order.n_points) * hop / order.rate_hz)
    if loudness is not Loudness.mix and order.synthesizer.n_loudness == 0:
        raise DataError(f"loudness={loudness.value} is not possible with this model: it has no loudness of its own.")
    for number in range(1, order.n + 1):
        pair = order.choose_pair(number)
        first, second = (order.follow(source) for source in pair)
        path = blend(first, second, share, loudness, order.synthesizer.n_loudness)
        n_samples = min(order.n_samples, path.shape[1] * hop)
        sound = order.synthesizer.decode_stretches([path], n_samples, take_seed(order.config.seed, number))
        yield Made(sound, [source.name for source in pair])


def _loop(order: Order) -> Iterator[Made]:
    if order.n_samples > LONGEST_LOOP_S * order.rate_hz:
        raise DataError(
            f"duration_s={order.config.duration_s} is too long for mode=loop: up to {LONGEST_LOOP_S:g} s go round."
        )
    for number in range(1, order.n + 1):
        provenance = order.note()
        sound = loop_stretches(
            order.synthesizer, order.n_samples, seed=order.config.seed, number=number, note=provenance.add
        )
        yield Made(sound, [], provenance)


def _reconstruct(order: Order) -> Iterator[Made]:
    for number, source in enumerate(order.sources[: order.n], start=1):
        n_heard = sum(len(block) for block in _read(order, source))
        own_seed = take_seed(order.config.seed, number)
        yield Made(reconstruct_stretches(order.synthesizer, _read(order, source), n_heard, own_seed), [source.name])


def _interpolate(order: Order) -> Iterator[Made]:
    """From one source to the next, each for the whole length; the last one goes back to the first.

    The two paths are held, as they may be gone along backwards: for an hour, some 40 MB.
    """
    for number in range(1, order.n + 1):
        pair = order.choose_pair(number)
        start, end = (order.follow(source) for source in pair)
        path = morph_stretches(start, end, order.n_points)
        sound = order.synthesizer.decode_stretches(path, order.n_samples, take_seed(order.config.seed, number))
        yield Made(sound, [source.name for source in pair])


def _transfer(order: Order) -> Iterator[Made]:
    for number, source in enumerate(order.sources[: order.n], start=1):
        provenance, n_heard = order.note(), sum(len(block) for block in _read(order, source))
        sound = transfer_stretches(
            order.synthesizer, order.follow(source), n_heard,
            adherence=order.config.adherence, seed=order.config.seed, number=number, note=provenance.add,
        )  # fmt: skip
        yield Made(sound, [source.name], provenance)


def _walk(order: Order) -> Iterator[Made]:
    atlas = map_sound(order.synthesizer)
    try:
        places = [atlas.find(name, at_s) for name, at_s in parse_places(order.config.places)]
    except ConfigError as error:
        raise ConfigError(f"places={order.config.places}: {error}") from None
    way = lead_past(atlas, places, order.n_samples / order.rate_hz)
    for number in range(1, order.n + 1):
        provenance = order.note()
        sound = walk_stretches(
            order.synthesizer, atlas, way, order.n_samples,
            seed=order.config.seed, number=number, note=provenance.add,
        )  # fmt: skip
        yield Made(fade_ends(sound, order.n_samples, order.rate_hz), [], provenance)


_MAKERS: dict[GenerateMode, Callable[[Order], Iterator[Made]]] = {
    GenerateMode.sample: _sample,
    GenerateMode["continue"]: _continue,
    GenerateMode.vary: _vary,
    GenerateMode.blend: _blend,
    GenerateMode.loop: _loop,
    GenerateMode.reconstruct: _reconstruct,
    GenerateMode.interpolate: _interpolate,
    GenerateMode.transfer: _transfer,
    GenerateMode.walk: _walk,
}


def _read(order: Order, source: GivenSound) -> Iterator[Tensor]:
    """The beginning of a source, block by block, as loud as the model knows it.

    Raises:
        DataError: it cannot be decoded, or has less sound than a spectrogram's first frame needs.
    """
    n_left = order.n_samples
    for block in source.read(order.rate_hz):
        own = torch.from_numpy(block[:n_left])
        n_left -= len(own)
        yield order.gain * own
        if n_left == 0:
            break
    _refuse_too_short(order, source, order.n_samples - n_left)


def _read_end(order: Order, source: GivenSound) -> Tensor:
    """The end of a source, `[T]`, without the silence behind it.

    Raises:
        DataError: as `_read`.
    """
    most = math.ceil(LONGEST_GIVEN_S * order.rate_hz)
    kept: deque[Tensor] = deque()
    n_kept = 0
    for block in source.read(order.rate_hz):
        kept.append(torch.from_numpy(block.copy()))
        n_kept += len(block)
        while n_kept - len(kept[0]) >= most:
            n_kept -= len(kept.popleft())
    found = torch.cat(list(kept))[-most:] if kept else torch.zeros(0)
    loud = (found.abs() > LEAST_OF_PEAK * found.abs().max()).nonzero() if len(found) else found
    found = found[: int(loud[-1]) + 1] if len(loud) else found
    _refuse_too_short(order, source, len(found))
    return order.gain * found


def _refuse_too_short(order: Order, source: GivenSound, n_samples: int) -> None:
    least = max(
        order.synthesizer.features.n_fft // 2 + 1,
        order.synthesizer.hop_samples if order.config.mode.value == "continue" else 0,
    )
    if n_samples < least:
        raise DataError(f"{source.name}: {n_samples} samples are too few: {least} are needed. Take a longer sound.")
