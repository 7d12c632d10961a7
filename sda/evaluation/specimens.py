"""Sampling for evaluation: new sounds of a model, drawn to be judged, as `generate.py` gives them."""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch

from sda.config.verbs import AUTO_LENGTH
from sda.evaluation.sounds import Sound
from sda.generation.sampling import draw_new_sound
from sda.generation.synthesizer import Synthesizer

USUAL_S = 5.0
"""Length of a sound where those of the corpus are not known; where they are shorter, there are more sounds."""
LONGEST_S = 30.0
"""Of a longer sound, its beginning is drawn."""
MOST_TIMES = 4
"""There are no more than so many times the sounds that were asked for, however short they are."""


class Specimens(NamedTuple):
    """New sounds."""

    sounds: list[Sound]
    made_of: list[dict[str, Any]]
    """What each is made of, see `Provenance.describe`."""
    n_silent: int
    """Draws in which nothing could be heard, and in whose place others were made."""


def are_whole(synthesizer: Synthesizer, length_s: float | str) -> bool:
    """Whether sounds of such a length are whole ones, as long as those of the corpus: not where those are not known."""
    return length_s == AUTO_LENGTH and bool(synthesizer.prior.names)


def draw_specimens(
    synthesizer: Synthesizer,
    n: int,
    length_s: float | str,
    seed: int,
    advance: Callable[[float], None] = lambda _: None,
) -> Specimens:
    """New sounds, `n` or more.

    Args:
        length_s: of each; `auto` for whole sounds, as long as those of the corpus.
        advance: told now and then how much of it is done, in [0, 1].
    """
    rate_hz = synthesizer.features.sample_rate_hz
    is_auto = are_whole(synthesizer, length_s)
    given = round((USUAL_S if length_s == AUTO_LENGTH else float(length_s)) * rate_hz)
    found, n_made, n_asked = Specimens([], [], 0), 0, n * given
    longest = max(given, round(LONGEST_S * rate_hz))
    for number in range(1, MOST_TIMES * n + 1):
        new = draw_new_sound(synthesizer, None if is_auto else given, seed=seed, number=number, longest=longest)
        found.sounds.append(Sound(f"generated {number}", torch.cat(list(new.stretches))))
        found.made_of.append(new.provenance.describe())
        found, n_made = found._replace(n_silent=found.n_silent + new.n_silent), n_made + new.n_samples
        advance(min(number / n, n_made / n_asked, 1.0))
        if number >= n and (n_made >= n_asked or not is_auto):
            break
    return found
