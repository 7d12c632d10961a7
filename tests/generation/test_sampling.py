"""New sounds as they are given out: one that can be heard, with its own sources, and without clicks at its ends."""

import pytest
import torch

from sda.generation import sampling
from sda.generation.sampling import MOST_DRAWS, draw_new_sound
from sda.models.priors.prior import Drawn


@pytest.fixture
def draw(synthesizer, monkeypatch):
    """Draws from levels made to measure, one a draw, and lists the numbers and settings that were asked for."""

    def draw(levels, n_samples=8000, **settings):
        asked, rest = [], iter(levels)
        n_recordings = len(synthesizer.prior.names)

        def generate(synthesizer, length, *, seed, number, whole, note):
            shares = torch.eye(n_recordings)[len(asked) % n_recordings][None]  # a draw of each recording in turn
            asked.append((number, length, whole))
            level = next(rest)
            for first in range(0, length, 1000):
                note(Drawn(torch.zeros(8, 1), shares, torch.tensor([0])))
                yield torch.full((min(1000, length - first),), level)

        monkeypatch.setattr(sampling, "generate_stretches", generate)
        new = draw_new_sound(synthesizer, n_samples, seed=3, number=2, **settings)
        return new, torch.cat(list(new.stretches)), asked

    return draw


def test_a_sound_that_can_be_heard_is_the_one_that_was_asked_for(draw):
    new, made, asked = draw([0.1])
    assert asked == [(2, 8000, False)]
    assert (new.n_samples, new.n_silent, len(made)) == (8000, 0, 8000)
    assert made[[0, -1]].tolist() == [0.0, 0.0], "no click at either end"
    assert made[4000].item() == pytest.approx(0.1)


def test_what_cannot_be_heard_is_drawn_anew_under_numbers_that_no_other_sound_has(draw):
    new, made, asked = draw([0.0, 1e-4, 0.1])
    numbers = [number for number, *_ in asked]
    assert new.n_silent == 2
    assert made.max() > 0.09
    assert numbers[0] == 2
    assert len(set(numbers)) == 3
    assert min(numbers[1:]) > 1000


def test_silence_is_given_out_where_nothing_else_comes(draw):
    new, made, asked = draw([0.0] * MOST_DRAWS)
    assert len(asked) == MOST_DRAWS
    assert new.n_silent == MOST_DRAWS - 1
    assert made.tolist() == [0.0] * 8000


def test_the_sources_are_those_of_the_sound_that_was_kept(draw, synthesizer):
    names = synthesizer.prior.names
    new, *_ = draw([0.0, 0.1])
    assert new.provenance.describe()["shares"] == {names[1 % len(names)]: 1.0}


def test_a_whole_sound_that_is_too_long_is_its_beginning(draw, monkeypatch):
    monkeypatch.setattr(sampling, "draw_length", lambda synthesizer, *, seed, number: 6000)
    assert draw([0.1], None)[2] == [(2, 6000, True)]
    assert draw([0.1], None, longest=6000)[2] == [(2, 6000, True)]
    new, made, asked = draw([0.1], None, longest=5000)
    assert asked == [(2, 5000, False)]
    assert new.n_samples == len(made) == 5000
