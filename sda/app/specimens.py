"""New sounds of a model, drawn to be judged."""

from collections.abc import Callable

from sda.config.schema import AUTO_LENGTH
from sda.evaluation.sounds import Sound
from sda.generation.voice import Voice, draw_length, generate_sound

USUAL_S = 5.0
"""Length of a sound where those of the corpus are not known; where they are shorter, there are more sounds."""
LONGEST_S = 10.0
"""Of a longer sound, its beginning is drawn."""
MOST_TIMES = 4
"""There are no more than so many times the sounds that were asked for, however short they are."""


def are_whole(voice: Voice, length_s: float | str) -> bool:
    """Whether sounds of such a length are whole ones, as long as those of the corpus: not where those are not known."""
    return length_s == AUTO_LENGTH and bool(voice.prior.names)


def draw_specimens(
    voice: Voice, n: int, length_s: float | str, seed: int, advance: Callable[[float], None] = lambda _: None
) -> list[Sound]:
    """New sounds, `n` or more.

    Args:
        length_s: of each; `auto` for whole sounds, as long as those of the corpus.
        advance: told now and then how much of it is done, in [0, 1].
    """
    rate_hz = voice.features.sample_rate_hz
    is_auto = are_whole(voice, length_s)
    given = round((USUAL_S if length_s == AUTO_LENGTH else float(length_s)) * rate_hz)
    sounds, n_made, n_asked = list[Sound](), 0, n * given
    for number in range(1, MOST_TIMES * n + 1):
        length = draw_length(voice, seed=seed, number=number) if is_auto else given
        longest = max(given, round(LONGEST_S * rate_hz))
        waveform = generate_sound(
            voice, min(length, longest), seed=seed, number=number, whole=is_auto and length <= longest
        )
        sounds.append(Sound(f"generated {number}", waveform))
        n_made += len(waveform)
        advance(min(number / n, n_made / n_asked, 1.0))
        if number >= n and (n_made >= n_asked or not is_auto):
            break
    return sounds
