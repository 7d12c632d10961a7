from types import SimpleNamespace

import pytest
import torch

from sda.config.verbs import AUTO_LENGTH
from sda.evaluation.specimens import LONGEST_S, MOST_TIMES, are_whole, draw_specimens
from sda.models.priors.prior import Drawn

RATE_HZ, HOP = 1000, 10


class _Synthesizer:
    """Sounds of ones, after a prior that says how long."""

    hop_samples = HOP
    features = SimpleNamespace(sample_rate_hz=RATE_HZ)

    def __init__(self, length_s, names=("a",)):
        self.prior = SimpleNamespace(names=list(names), draw_length=lambda seed: round(length_s * RATE_HZ / HOP))
        self.asked = []

    def count_points(self, n_samples):
        return -(-n_samples // HOP)

    def sample_stretches(self, n_points, seed, *, whole=False):
        self.asked.append(whole)
        return iter([Drawn(torch.ones(1, n_points), torch.ones(n_points, 1), torch.zeros(n_points))])

    def decode_stretches(self, path, n_samples, seed=None):
        yield torch.ones(n_samples)


@pytest.mark.parametrize(
    ("length_s", "expected_s", "n", "whole"),
    [(6.0, 6.0, 3, True), (2.5, 2.5, 6, True), (0.1, 0.1, 3 * MOST_TIMES, True), (60.0, LONGEST_S, 3, False)],
)
def test_sounds_are_as_long_as_the_corpus_and_of_short_ones_there_are_more(length_s, expected_s, n, whole):
    synthesizer = _Synthesizer(length_s)
    sounds = draw_specimens(synthesizer, 3, AUTO_LENGTH, 0).sounds
    assert [len(one.waveform) for one in sounds] == [round(expected_s * RATE_HZ)] * n
    assert synthesizer.asked == [whole] * n
    assert are_whole(synthesizer, AUTO_LENGTH)


def test_a_length_that_is_given_is_kept_and_one_that_is_not_known_is_five_seconds():
    for length_s, names in ((2.0, ["a"]), (AUTO_LENGTH, [])):
        synthesizer, shares = _Synthesizer(7.0, names), []
        sounds = draw_specimens(synthesizer, 3, length_s, 0, shares.append).sounds
        assert [len(one.waveform) for one in sounds] == [(2 if names else 5) * RATE_HZ] * 3
        assert not any(synthesizer.asked)
        assert not are_whole(synthesizer, length_s)
        assert shares == sorted(shares)
        assert shares[-1] == 1.0


def test_what_cannot_be_heard_is_drawn_again_and_counted():
    class _Silent(_Synthesizer):
        def decode_stretches(self, path, n_samples, seed=None):
            list(path)
            yield torch.zeros(n_samples) if seed == 2 else torch.ones(n_samples)  # the second sound of seed 0

    found = draw_specimens(_Silent(2.0), 3, 2.0, 0)
    assert found.n_silent == 1
    assert all(one.waveform.abs().mean() > 0.9 for one in found.sounds)
    assert [one["shares"] for one in found.made_of] == [{"a": 1.0}] * 3
