"""Generated windows that are closest to training sound, each beside its place there."""

from collections.abc import Iterator
from typing import NamedTuple

from torch import Tensor

from sda.audio.waveform import read_waveform
from sda.evaluation.memorisation import cut_match
from sda.evaluation.suite import EvaluationAudio, Memorisation

N_NEAREST = 20
"""Generated windows that are shown beside their nearest training sound."""


class Nearest(NamedTuple):
    """A generated window and the training sound that it is closest to."""

    generated: str
    """Name of the generated sound."""
    start_s: float
    """Where in it the window begins."""
    source: str
    """Name of the training sound."""
    source_start_s: float
    correlation: float
    is_replay: bool
    """Whether the correlation lies above the threshold."""


def list_nearest(audio: EvaluationAudio, memorisation: Memorisation) -> Iterator[tuple[Nearest, Tensor, Tensor]]:
    """Generated windows closest to training sound, one of each generated sound, with its sound and its source's."""
    similarity, rate_hz = memorisation.similarities["generated"], audio.sample_rate_hz
    n_samples, shown = round(memorisation.window_s * rate_hz), set[int]()
    for index in (-similarity.correlation).argsort(kind="stable"):
        sound_index, start = int(similarity.sound[index]), int(similarity.window_start[index])
        if sound_index in shown:
            continue
        shown.add(sound_index)
        sound = audio.generated[sound_index]
        source, source_start_s = audio.train[similarity.source[index]], float(similarity.start_s[index])
        nearest = Nearest(
            generated=sound.name,
            start_s=sound.start_s + start / rate_hz,
            source=source.name,
            source_start_s=round(source_start_s, 3),
            correlation=round(float(similarity.correlation[index]), 4),
            is_replay=bool(similarity.correlation[index] > memorisation.replay.threshold),
        )
        clip = read_waveform(sound.waveform[start : start + n_samples])
        yield nearest, clip, cut_match(source, source_start_s, n_samples, rate_hz)
        if len(shown) == N_NEAREST:
            return
