"""Likeness along a control: whether sound is still like the corpus where a knob is turned as far as it was tried."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from torch import Tensor

from sda.evaluation.embedding import HandMadeEmbedding, standardise
from sda.evaluation.mmd import Sample, median_distance, mmd2
from sda.evaluation.sounds import Sound
from sda.evaluation.suite import embed


class LikenessAlong(NamedTuple):
    """MMD² to real sound at the ends of a control and at rest: the smaller, the more like it; NaN if not measured."""

    low: float = math.nan
    rest: float = math.nan
    high: float = math.nan


class CorpusLikeness:
    """How like a corpus sounds are, whatever their level.

    Args:
        real: sounds of the corpus.
    """

    def __init__(self, real: Sequence[Sound], sample_rate_hz: int):
        self.sample_rate_hz = sample_rate_hz
        self._embedding = HandMadeEmbedding(sample_rate_hz)
        self._vectors, self._files = embed(real, sample_rate_hz, self._embedding)
        if len(self._vectors):
            own = standardise(self._vectors, self._vectors, n_parts=self._embedding.n_parts)[0].double().numpy()
            self._real, self._bandwidth = Sample(own, self._files), median_distance(own) if len(own) > 1 else 1.0

    def __call__(self, waveforms: Sequence[Tensor]) -> float:
        """MMD² of rendered sounds to the corpus; NaN where there are fewer than two of either with a loud second.

        Args:
            waveforms: each `[T]`.
        """
        sounds = [Sound(str(number), waveform) for number, waveform in enumerate(waveforms)]
        vectors, files = embed(sounds, self.sample_rate_hz, self._embedding)
        if len(set(files.tolist())) < 2 or len(set(self._files.tolist())) < 2:
            return math.nan
        scaled = standardise(self._vectors, vectors, n_parts=self._embedding.n_parts)[0].double().numpy()
        return mmd2(Sample(scaled, files), self._real, self._bandwidth)
