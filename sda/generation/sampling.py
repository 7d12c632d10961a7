"""New sounds as they are given out: drawn again where nothing can be heard, with their sources, and without clicks."""

from collections.abc import Iterator
from itertools import chain
from typing import NamedTuple

from torch import Tensor

from sda.generation.modes import fade_ends
from sda.generation.provenance import Provenance
from sda.generation.synthesizer import Synthesizer, draw_length, generate_stretches

SILENT_DBFS = -60.0
"""A new sound quieter than this throughout is silent, where the corpus was brought to −20 dBFS."""
MOST_DRAWS = 5
"""Times that a sound is drawn before it is taken as it is, silent or not."""
SILENT_DRAWS_APART = 7919
"""A prime: what is drawn in place of a silent sound is no other sound of the same seed."""


class NewSound(NamedTuple):
    """A sound that is made while it is asked for."""

    stretches: Iterator[Tensor]
    """Blocks of `n_samples` in all."""
    n_samples: int
    provenance: Provenance
    """What it is made of, once it was made."""
    n_silent: int
    """Draws that came out silent before it."""


def draw_new_sound(
    synthesizer: Synthesizer, n_samples: int | None, *, seed: int, number: int, longest: int | None = None
) -> NewSound:
    """Sound `number`, from 1, of those that a seed gives.

    Args:
        n_samples: its length; none for a whole sound, which begins and ends as those of the corpus do and is as long.
        longest: samples; of a whole sound that is longer, its beginning.
    """
    for n_silent in range(MOST_DRAWS):
        place, provenance = number + SILENT_DRAWS_APART * n_silent, note_sources_of(synthesizer)
        length = draw_length(synthesizer, seed=seed, number=place) if n_samples is None else n_samples
        whole = n_samples is None and (longest is None or length <= longest)
        length = length if longest is None else min(length, longest)
        made = generate_stretches(synthesizer, length, seed=seed, number=place, whole=whole, note=provenance.add)
        stretches, is_heard = _listen(made)
        if is_heard:
            break
    return NewSound(fade_ends(stretches, length, synthesizer.features.sample_rate_hz), length, provenance, n_silent)


def note_sources_of(synthesizer: Synthesizer) -> Provenance:
    """Collects the sources of one new sound."""
    return Provenance(synthesizer.prior.names, synthesizer.hop_samples / synthesizer.features.sample_rate_hz)


def _listen(stretches: Iterator[Tensor]) -> tuple[Iterator[Tensor], bool]:
    """A sound, and whether anything of it is louder than near-silence; it is made no further than that is known."""
    kept = []
    for block in stretches:
        kept.append(block)
        if len(block) and float(block.square().mean()) >= 10 ** (SILENT_DBFS / 10):
            return chain(kept, stretches), True
    return iter(kept), False
