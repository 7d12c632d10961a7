import pytest
import torch

from sda.audio.span import (
    EDGE_SAMPLES,
    LEAD_SAMPLES,
    find_frames,
    find_sound,
    mean_inside,
    silence_outside,
    take_span,
    take_whole,
)

N_SAMPLES = 4000


def _burst(first, last, level=0.1):
    chunk = torch.zeros(N_SAMPLES)
    chunk[first:last] = level
    return chunk


@pytest.mark.parametrize(("first", "last"), [(0, 4000), (0, 700), (3000, 4000), (1500, 1600), (1999, 2000)])
def test_sound_is_found_where_it_lies(first, last):
    assert find_sound(_burst(first, last)[None]).tolist() == [[first, last]]


def test_silence_between_two_sounds_is_a_part_of_them_and_a_resamplers_last_ringing_is_none():
    chunks = torch.stack([_burst(100, 200) + _burst(3000, 3100), _burst(100, 200) + _burst(0, N_SAMPLES, 1e-7)])
    assert find_sound(chunks).tolist() == [[100, 3100], [100, 200]]


def test_a_chunk_that_begins_and_ends_in_sound_is_not_looked_through():
    assert find_sound(_burst(EDGE_SAMPLES - 1, N_SAMPLES - EDGE_SAMPLES + 1)[None]).tolist() == [[0, N_SAMPLES]]


def test_of_silence_there_is_nothing_and_little_of_it_counts():
    nothing = find_sound(torch.zeros(2, N_SAMPLES))
    assert nothing.tolist() == [[0, 0]] * 2
    assert take_span(nothing).tolist() == [[0, LEAD_SAMPLES]] * 2
    assert find_sound(torch.zeros(0, N_SAMPLES)).shape == (0, 2)
    pushed_out = torch.tensor([[N_SAMPLES, N_SAMPLES], [N_SAMPLES, LEAD_SAMPLES]])  # what a longer sound began with
    assert take_span(pushed_out).tolist() == [[0, LEAD_SAMPLES]] * 2


def test_as_many_frames_count_as_a_shorter_chunk_would_have():
    for last in (1, 127, 128, 129, 3999, 4000):
        frames = find_frames(torch.tensor([[0, last]]), 128, N_SAMPLES // 128 + 1)
        assert frames.sum() == last // 128 + 1
        assert frames[0, : last // 128 + 1].all()


def test_means_and_zeros_know_what_is_inside():
    values, frames = torch.arange(6.0).view(1, 2, 3), torch.tensor([[True, True, False]])
    assert mean_inside(values, frames).item() == (0 + 1 + 3 + 4) / 4
    assert silence_outside(torch.ones(1, 5), torch.tensor([[1, 3]])).tolist() == [[0, 1, 1, 0, 0]]
    assert torch.equal(silence_outside(torch.ones(1, 5), take_whole(torch.ones(1, 5))), torch.ones(1, 5))
