"""What can be made of given sound: what comes after it, relatives of it, two sounds at once, and loops.

All is done on paths and made in stretches; the same seed gives the same sound.

Letters in the shapes: `D` latent dimensions, `K` points of a path, `T` samples.
"""

from collections.abc import Callable, Iterable, Iterator
from enum import Enum
from itertools import chain

import torch
from torch import Tensor

from sda.generation.synthesizer import Synthesizer, note_sources, take_seed
from sda.models.priors.prior import Drawn

CONTEXT_POINTS = 256
"""Of the path that is continued, what is looked back on: eleven seconds."""
JOIN_S = 0.05
"""Over which given sound goes over into what the model makes."""
SEAM_S = 0.1
"""Over which the end of a loop goes over into what leads to its beginning."""
CLOSING_SHARE = 0.25
"""Part of a loop that leads back to its beginning."""
FADE_S = 0.003
"""Over which a sound comes from silence and goes into it, so that there is no click."""

Note = Callable[[Drawn], None]


class Loudness(Enum):
    """Whose loudness a blend has."""

    mix = "mix"
    first = "first"
    second = "second"


def continue_stretches(
    synthesizer: Synthesizer, given: Tensor, n_samples: int, *, seed: int, number: int, note: Note | None = None
) -> Iterator[Tensor]:
    """A sound, and what may come after it. → blocks of `T + n_samples` in all, or up to a point fewer.

    Args:
        given: the sound, or its end, `[T]`; as it is, but for its last 50 ms.
    """
    hop, rate_hz = synthesizer.hop_samples, synthesizer.features.sample_rate_hz
    n_points = len(given) // hop
    past = synthesizer.encode(given)[:, :n_points][:, -CONTEXT_POINTS:]
    n_given, n_context = n_points * hop, past.shape[1] * hop
    own_seed = take_seed(seed, number)
    drawn = synthesizer.prior.continue_(past, synthesizer.count_points(n_samples), own_seed, synthesizer.manner)
    path = chain([past], note_sources(drawn, note))
    n_join = min(round(JOIN_S * rate_hz), n_context)
    yield given[: n_given - n_join]
    rendered = _skip(
        synthesizer.decode_stretches(path, n_context + n_samples, own_seed, -past.shape[1]), n_context - n_join
    )
    first = torch.zeros(0)
    while len(first) < n_join:
        first = torch.cat([first, next(rendered)])
    fade = torch.linspace(0.0, 1.0, n_join)
    yield torch.cat([torch.lerp(given[n_given - n_join : n_given], first[:n_join], fade), first[n_join:]])
    yield from rendered


def vary_stretches(
    synthesizer: Synthesizer,
    path: Tensor,
    n_samples: int,
    strength: float,
    *,
    seed: int,
    number: int,
    note: Note | None = None,
) -> Iterator[Tensor]:
    """A relative of the sound whose path is given. `[D, K]` → blocks of `n_samples` in all.

    Args:
        strength: 0 is the sound as the model rebuilds it, 1 is a new one.
    """
    own_seed = take_seed(seed, number)
    if strength == 0.0:
        return synthesizer.decode_stretches([path], n_samples, own_seed)
    drawn = synthesizer.prior.vary(path, strength, own_seed, synthesizer.manner)
    return synthesizer.decode_stretches(note_sources(drawn, note), n_samples, own_seed)


def blend(first: Tensor, second: Tensor, share: float | Tensor, loudness: Loudness, n_loudness: int) -> Tensor:
    """A path that holds two sounds at once, as long as the shorter of them.

    Args:
        share: of the second, in [0, 1]; one for each point, `[min(K, J)]` or longer, where it changes.
        loudness: whose loudness it has.
        n_loudness: how many dimensions, the first ones, carry it; 0 where none does by itself.

    Shape:
        `[D, K]` and `[D, J]` → `[D, min(K, J)]`.

    >>> blend(torch.zeros(2, 3), torch.ones(2, 5), 0.25, Loudness.second, 1).tolist()
    [[1.0, 1.0, 1.0], [0.25, 0.25, 0.25]]
    """
    n_points = min(first.shape[1], second.shape[1])
    first, second = first[:, :n_points], second[:, :n_points]
    path = torch.lerp(first, second, share[:n_points] if isinstance(share, Tensor) else share)
    if loudness is not Loudness.mix:
        path[:n_loudness] = (first if loudness is Loudness.first else second)[:n_loudness]
    return path


def loop_stretches(
    synthesizer: Synthesizer, n_samples: int, *, seed: int, number: int, note: Note | None = None
) -> Iterator[Tensor]:
    """New sound whose end leads to its beginning. → blocks of `count_loop_samples` in all.

    Its path is held as a whole: 6 kB a second.
    """
    rate_hz, hop = synthesizer.features.sample_rate_hz, synthesizer.hop_samples
    n_points = count_loop_samples(synthesizer, n_samples) // hop
    own_seed = take_seed(seed, number)
    n_closing = int(CLOSING_SHARE * n_points)
    opening = torch.cat(
        list(note_sources(synthesizer.prior.sample(n_points - n_closing, own_seed, synthesizer.manner), note)), dim=1
    )
    closing = synthesizer.prior.continue_(
        opening[:, -CONTEXT_POINTS:], n_closing, own_seed, synthesizer.manner, future=opening[:, :CONTEXT_POINTS]
    )
    path = torch.cat([opening, *note_sources(closing, note)], dim=1) if n_closing else opening
    # The model hears the loop go round: what leads to the beginning comes first, and the beginning again at the end.
    n_round = min(n_points, CONTEXT_POINTS)
    n_lead, n_whole = n_round * hop, n_points * hop
    n_seam = min(round(SEAM_S * rate_hz), n_lead, n_whole)
    around = torch.cat([path[:, -n_round:], path, path[:, :n_round]], dim=1)
    rendered = _skip(synthesizer.decode_stretches([around], n_lead + n_whole, own_seed), n_lead - n_seam)
    lead, n_told = torch.zeros(0), 0
    for block in rendered:
        own = block
        if len(lead) < n_seam:
            lead, own = torch.cat([lead, block[: n_seam - len(lead)]]), block[n_seam - len(lead) :]
        if len(own):
            first = max(0, n_whole - n_seam - n_told)
            if first < len(own):
                own = own.clone()
                place = n_told + first - (n_whole - n_seam)
                n_mixed = len(own) - first
                fade = torch.linspace(0.0, 1.0, n_seam)[place : place + n_mixed]
                own[first:] = _cross(own[first:], lead[place : place + n_mixed], fade)
            n_told += len(own)
            yield own


def count_loop_samples(synthesizer: Synthesizer, n_samples: int) -> int:
    """The length of a loop that is asked for: whole points, eight at least."""
    return max(8, round(n_samples / synthesizer.hop_samples)) * synthesizer.hop_samples


def fade_ends(stretches: Iterable[Tensor], n_samples: int, rate_hz: int) -> Iterator[Tensor]:
    """The same sound, which comes from silence and goes into it. Blocks of `n_samples` in all."""
    n_fade, n_done = min(round(FADE_S * rate_hz), n_samples // 2), 0
    for block in stretches:
        places = torch.arange(n_done, n_done + len(block))
        n_done += len(block)
        from_end = torch.minimum(places, n_samples - 1 - places).clamp(min=0)
        yield block * (from_end / max(1, n_fade)).clamp(max=1.0)


def _cross(ending: Tensor, beginning: Tensor, fade: Tensor) -> Tensor:
    """One sound goes over into another of the same colour, whose waves do not meet: powers add up. Three `[T]`."""
    angle = fade * (torch.pi / 2)
    return ending * angle.cos() + beginning * angle.sin()


def _skip(stretches: Iterable[Tensor], n_samples: int) -> Iterator[Tensor]:
    """Without the first samples."""
    for block in stretches:
        own = block[n_samples:]
        n_samples = max(0, n_samples - len(block))
        if len(own):
            yield own
