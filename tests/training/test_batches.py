"""Where a sound lies in a batch after it was sped up, mixed and delayed."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from sda.audio.augmentation import SPEED_RATIOS, UNCHANGED, Augmentation
from sda.training.batches import count_after, delay_sound, fit, follow_sound

FASTER, SLOWER = SPEED_RATIOS.index((3, 4)), SPEED_RATIOS.index((4, 3))


def _draw(ratio, mixed=None):
    """Draws that change speed and mix as they are told, and do nothing else."""
    draws = Augmentation(probability=0.0).draw(np.random.default_rng(0), len(ratio))
    mixed = np.zeros(len(ratio), bool) if mixed is None else np.array(mixed)
    return replace(draws, ratio=np.array(ratio), mix_corpus=mixed)


def test_a_part_of_a_sample_counts_as_a_sample():
    assert [count_after(ratio, 10) for ratio in (UNCHANGED, FASTER, SLOWER)] == [10, 8, 14]
    assert count_after(FASTER, 0) == 0


def test_a_sound_begins_and_ends_where_its_speed_puts_it():
    sound = torch.tensor([[10, 21]] * 3)
    followed = follow_sound(_draw([UNCHANGED, FASTER, SLOWER]), sound, torch.zeros(0, 2, dtype=torch.int64))
    assert followed.tolist() == [[10, 21], [7, 16], [13, 28]]


def test_a_sound_that_is_mixed_with_another_reaches_as_far_as_either():
    sound, partners = torch.tensor([[10, 20], [10, 20], [10, 20]]), torch.tensor([[5, 15], [12, 30]])
    followed = follow_sound(_draw([UNCHANGED] * 3, mixed=[True, False, True]), sound, partners)
    assert followed.tolist() == [[5, 20], [10, 20], [10, 30]]


def test_a_delay_puts_zeros_before_a_sound_and_moves_its_place():
    waveforms = torch.tensor([[1.0, 2.0, 3.0, 0.0, 0.0], [1.0, 2.0, 3.0, 4.0, 5.0], [0.0] * 5])
    sound = torch.tensor([[0, 3], [0, 5], [0, 0]])
    delayed, place = delay_sound(waveforms, sound, np.array([2, 0, 2]))
    assert delayed.tolist() == [[0.0, 0.0, 1.0, 2.0, 3.0], [1.0, 2.0, 3.0, 4.0, 5.0], [0.0] * 5]
    assert place.tolist() == [[2, 5], [0, 5], [0, 0]], "where there is no sound, none is moved"
    assert waveforms[0].tolist() == [1.0, 2.0, 3.0, 0.0, 0.0], "what was read stays as it was"


@pytest.mark.parametrize(("n_samples", "fitted"), [(2, [1.0, 2.0]), (3, [1.0, 2.0, 3.0]), (5, [1.0, 2.0, 3.0, 0, 0])])
def test_the_end_is_cut_off_or_filled_up(n_samples, fitted):
    assert fit(torch.tensor([[1.0, 2.0, 3.0]]), n_samples).tolist() == [fitted]
