import math

import pytest
import torch

from sda.audio.mel import DB_PER_NEPER
from sda.errors import ConfigError
from sda.generation.loudness import LoudnessScale
from sda.generation.modes import Note
from sda.generation.passages import find_successors
from sda.generation.transfer import AHEAD_POINTS, STRETCH_POINTS, transfer_path, transfer_stretches
from sda.models.priors.mosaic import Mosaic
from sda.models.priors.prior import Recording, join

SCALE = LoudnessScale(2, DB_PER_NEPER, 0.04)


def _note(pitch, n_latents=40):
    """It sets in at once and fades; its timbre says which note it is, and fades with it."""
    fading = -0.1 * torch.arange(n_latents * 2).view(n_latents, 2).T
    timbre = torch.tensor([[math.cos(pitch)], [math.sin(pitch)], [1.0]]) * (1.0 - torch.arange(n_latents) / n_latents)
    silence = torch.cat([torch.full((2, 2), -9.0), torch.zeros(3, 2)])
    return torch.cat([silence, torch.cat([fading, timbre])], dim=1)


@pytest.fixture(scope="module")
def prior():
    mosaic = Mosaic(5)
    mosaic.fit([Recording(f"{pitch}.wav", _note(pitch), lead=2, start=-2) for pitch in range(6)])
    return mosaic


@pytest.fixture(scope="module")
def given():
    """Five beats of a timbre that the corpus does not know, louder than anything in it."""
    beats = [_note(10.0 + number, 60) * torch.tensor([1.0, 1.0, 7.0, 7.0, 7.0])[:, None] + 3.0 for number in range(5)]
    return torch.cat(beats, dim=1)


def _play(prior, path, **settings):
    return join(transfer_path(prior, path, SCALE, **{"adherence": 0.3, "memory": 64} | settings))


def test_timbre_is_the_corpus_and_loudness_follows_the_given_sound(prior, given):
    drawn = _play(prior, given)
    assert drawn.path.shape == given.shape
    timbres = {tuple(row) for row in prior.rows.latents[:, 2:].tolist()}
    taken = [tuple(row) in timbres for row in drawn.path.T[:, 2:].tolist()]
    assert sum(taken) > 0.8 * len(taken), "all but what lies between two passages"
    levels = [path[:2].mean(dim=0).clamp(min=path[:2].max() - 6.0) for path in (drawn.path, given)]
    assert float(torch.corrcoef(torch.stack(levels))[0, 1]) > 0.8
    assert drawn.path[:2].max() < 1.0, "as loud as the corpus is"


def test_what_is_exactly_as_loud_keeps_every_step_of_level(prior, given):
    exact = _play(prior, given, adherence=1.0)
    beat = slice(2, 14)  # narrowed or not, it is a straight line of the given sound's
    steps, own = (path[:2, beat].T.flatten().diff() for path in (exact.path, given))
    ratio = steps / own
    torch.testing.assert_close(ratio, ratio[:1].expand(len(ratio)), atol=1e-3, rtol=1e-3)


def test_notes_set_in_where_the_given_sound_does(prior, given):
    drawn = _play(prior, given)
    starts = [beat * 62 + 2 for beat in range(5)]
    assert [int(drawn.places[start]) for start in starts] == [0] * 5, "each at a recording's first sound"


def test_with_more_memory_recordings_are_left_less_often(prior, given):
    noisy = given + 0.5 * torch.randn(given.shape, generator=torch.Generator().manual_seed(0))
    left = [int((_play(prior, noisy, memory=memory).places.diff() != 1).sum()) for memory in (1, 16, 256)]
    assert left == sorted(left, reverse=True)
    assert left[0] > left[2]


def test_the_same_sound_gives_the_same_and_sources_add_up(prior, given):
    first, again = _play(prior, given), _play(prior, given)
    assert torch.equal(first.path, again.path)
    torch.testing.assert_close(first.shares.sum(dim=1), torch.ones(given.shape[1]))


def test_a_long_sound_is_decided_stretch_by_stretch(prior, given):
    long = given.repeat(1, 4)
    stretches = list(transfer_path(prior, long, SCALE, adherence=0.3, memory=64))
    assert max(one.path.shape[1] for one in stretches) == STRETCH_POINTS
    assert sum(one.path.shape[1] for one in stretches) == long.shape[1]
    assert AHEAD_POINTS < STRETCH_POINTS


@pytest.mark.parametrize("n_points", [1, 2, 5])
def test_very_short_and_silent_sounds_are_played_too(prior, n_points):
    for path in (torch.zeros(5, n_points), torch.full((5, n_points), -20.0)):
        drawn = _play(prior, path)
        assert drawn.path.shape == (5, n_points)
        assert drawn.path.isfinite().all()


def test_silence_stays_silent_once_what_was_played_has_rung_out(prior, given):
    silent = torch.cat([given, torch.full((5, 200), -30.0)], dim=1)
    path = _play(prior, silent).path
    assert path[:2, -1].max() < path[:2].max() - 9.0


def test_passages_end_where_recordings_do(prior):
    goes_on, rows = find_successors(prior.rows), prior.rows
    assert not goes_on[-1]
    assert bool((rows.owner[1:] == rows.owner[:-1])[goes_on[:-1]].all())


def test_a_sound_is_made_of_it_in_stretches(spectral_synthesizer, sound):
    notes = []
    note: Note = notes.append
    path = spectral_synthesizer.encode(sound)
    made = torch.cat(
        list(transfer_stretches(spectral_synthesizer, path, 20_000, adherence=0.3, seed=1, number=1, note=note))
    )
    assert made.shape == (20_000,)
    assert made.isfinite().all()
    assert join(notes).shares.shape[1] == 2


def test_of_a_prior_that_remembers_nothing_it_is_told_what_to_do(mel_synthesizer, sound):
    with pytest.raises(ConfigError, match=r"mode=transfer .* this run's prior, density, does not keep. Train with"):
        transfer_stretches(mel_synthesizer, mel_synthesizer.encode(sound), 4000, adherence=0.3, seed=1, number=1)
