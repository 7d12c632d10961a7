import pytest
import torch

from sda.evaluation.floor import choose_stretches
from sda.evaluation.sounds import Sound


def _sounds(*lengths):
    return [Sound(f"{number}", torch.arange(length) + 1000.0 * number) for number, length in enumerate(lengths)]


@pytest.mark.parametrize(
    ("lengths", "n_sounds"),
    [
        ([50] * 30, 16),  # as many as there are generated ones
        ([2] * 100, 80),  # more, where they are short
        ([2] * 20, 20),  # all, where they are short and few
        ([100] * 4, 4),
    ],
)
def test_as_much_training_sound_is_rebuilt_as_is_generated_one_stretch_of_a_file(lengths, n_sounds):
    stretches = choose_stretches(_sounds(*lengths), 16, 10)
    assert len(stretches) == n_sounds
    assert len({stretch.name for stretch in stretches}) == n_sounds
    assert sum(len(stretch.waveform) for stretch in stretches) == min(160, sum(lengths))


def test_stretches_are_spread_over_their_files():
    stretches = choose_stretches(_sounds(*[110] * 11), 11, 10)
    starts = [int(stretch.waveform[0]) - 1000 * int(stretch.name) for stretch in stretches]
    assert starts == list(range(0, 101, 10))
    assert choose_stretches([], 16, 10) == []


def test_sounds_that_are_no_longer_than_new_ones_may_be_are_rebuilt_as_a_whole():
    stretches = choose_stretches(_sounds(8, 30, 12, 500), 4, 10, longest=30)
    assert [len(stretch.waveform) for stretch in stretches] == [8, 30, 12, 30]
