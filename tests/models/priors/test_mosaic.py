import pytest
import torch

from sda.models.priors.matching import Matcher
from sda.models.priors.mosaic import Mosaic
from sda.models.priors.prior import Manner, Recording, join
from tests.models.priors.recordings import SILENCE, D, one_shot, walk


def test_without_novelty_a_path_follows_one_recording_at_a_time(stream):
    drawn = join(stream.sample(300, 0, Manner(novelty=0.0)))
    assert drawn.shares.amax(dim=1).mean() > 0.95
    known = torch.cat([walk(90, seed) for seed in range(8)], dim=1)
    assert torch.cdist(drawn.path.T, known.T).amin(dim=1).median() < 0.1


def test_with_more_novelty_others_move_more_of_a_latent_and_paths_lie_further_from_all(stream):
    known = torch.cat([walk(90, seed) for seed in range(8)], dim=1)
    shares, distances = [], []
    for novelty in (0.0, 0.5, 1.0):
        drawn = join(stream.sample(300, 0, Manner(novelty=novelty)))
        shares.append(drawn.shares.amax(dim=1).mean().item())
        distances.append(torch.cdist(drawn.path.T, known.T).amin(dim=1).median().item())
    assert shares == sorted(shares, reverse=True)
    assert shares[1] < 0.9
    assert distances[0] < 0.1 * min(distances[1:])


def test_the_shares_of_a_latent_are_all_of_it(stream):
    drawn = join(stream.sample(200, 1, Manner()))
    torch.testing.assert_close(drawn.shares.sum(dim=1), torch.ones(200))
    assert (drawn.shares >= 0).all()


def test_the_sources_are_where_the_path_says(stream):
    """Without novelty, what the largest source holds at the place that is told is what was drawn."""
    drawn = join(stream.sample(200, 3, Manner(novelty=0.0)))
    sure = drawn.shares.amax(dim=1) > 0.99
    assert sure.float().mean() > 0.8
    told = torch.stack(
        [walk(90, int(n))[:, place] for n, place in zip(drawn.shares.argmax(dim=1), drawn.places, strict=True)], dim=1
    )
    assert (drawn.path - told)[:, sure].square().mean().sqrt() < 0.1


def test_one_shots_begin_and_end(one_shots):
    """A whole sound begins at once and ends in silence; a longer path is a row of events with pauses."""
    for seed in range(6):
        path = join(one_shots.sample(18, seed, Manner(), whole=True)).path.mean(dim=0)
        assert path[0] > SILENCE / 2, "it begins with its first latent"
        assert (path > SILENCE / 2).float().mean() > 0.6
    level = join(one_shots.sample(600, 0, Manner())).path.mean(dim=0)
    silent = (level < SILENCE / 2).float()
    assert 0.05 < silent.mean() < 0.45, "the bank's share is a quarter"
    assert 10 < int((silent.diff() < 0).sum()) < 50, "events that begin"
    runs = torch.tensor([len(run) for run in "".join("s" if one else "." for one in silent).split(".") if run])
    assert runs.max() < 20, "silence does not stay"


@pytest.mark.parametrize("novelty", [0.0, 0.3])
def test_a_whole_sound_is_one_sound_however_long_and_others_follow_each_other(one_shots, novelty):
    def count_pauses(whole):
        paths = (join(one_shots.sample(60, seed, Manner(novelty=novelty), whole=whole)).path for seed in range(5))
        return sum(int((path.mean(dim=0) < SILENCE / 2).sum()) for path in paths)

    assert count_pauses(whole=True) == 0
    assert count_pauses(whole=False) > 20


def tone(length, seed, n_fading=0):
    """Of a pitch of its own at first, and with silence around it."""
    own = 12.0 * torch.eye(D)[seed][:, None]
    latents = torch.full((D, length + 6), SILENCE)
    latents[:, 2 : 2 + length] = own + 0.1 * walk(length, seed)
    if n_fading:
        latents[:, 2 : 2 + length] -= own * (torch.arange(length) / n_fading).clamp(max=1.0)
    return Recording(f"{seed}.wav", latents, lead=2, tail=4, start=-2)


@pytest.mark.parametrize("novelty", [0.0, 0.3])
@pytest.mark.parametrize("memory", [8, 64])
def test_a_whole_sound_sets_out_from_the_recording_it_takes_after(novelty, memory):
    """Whether or not the silence before it fills whole blocks of the coarsest level."""
    prior = Mosaic(D)
    prior.fit([tone(40, seed) for seed in range(D)])
    for seed in range(10):
        manner = Manner(novelty=novelty, memory=memory, temperature=0.3)  # eight dimensions are soon lost in noise
        drawn = join(prior.sample(40, seed, manner, whole=True))
        assert int(drawn.shares[2].argmax()) == prior.choose_recording(seed)


def test_a_whole_sound_goes_on_no_faster_than_recordings_do():
    """Fading tones, the ends of which are all alike: a path could be at the end of one at any time."""
    prior = Mosaic(D)
    prior.fit([tone(300, seed, n_fading=60) for seed in range(8)])
    paths = [join(prior.sample(300, seed, Manner(novelty=0.3), whole=True)) for seed in range(6)]
    late = torch.cat([drawn.places - torch.arange(300) for drawn in paths])
    assert late.abs().float().quantile(0.9) < 30


def test_a_stream_is_never_silent_and_never_jumps(stream):
    path = join(stream.sample(1000, 0, Manner())).path
    known = torch.stack([walk(90, seed) for seed in range(8)])
    steps, real = (one.diff(dim=-1).square().sum(dim=-2).sqrt().flatten() for one in (path, known))
    assert steps.quantile(0.9) < 1.5 * real.quantile(0.99)
    joints = steps[63::64]
    assert joints.mean() < 2.0 * steps.mean(), "where one window follows another"


def test_what_is_new_still_sounds_as_the_recording_that_fits_and_moves_as_another():
    """Two kinds of note, far apart: their middle is no note."""
    kinds = [torch.full((D, 1), 4.0), torch.full((D, 1), -4.0)]
    prior = Mosaic(D)
    prior.fit([Recording(str(seed), kinds[seed % 2] + 0.3 * walk(90, seed)) for seed in range(8)])
    drawn = join(prior.sample(400, 0, Manner(novelty=0.3)))
    assert (drawn.path.mean(dim=0).abs() > 3.0).float().mean() > 0.95
    known = torch.cat([kinds[seed % 2] + 0.3 * walk(90, seed) for seed in range(8)], dim=1)
    assert torch.cdist(drawn.path.T, known.T).amin(dim=1).median() > 0.05


def test_memory_decides_how_long_a_path_stays_with_what_it_quotes():
    """Long tones with a rise and fall: with memory they last, without it they are cut up."""
    prior = Mosaic(D)
    prior.fit([Recording(str(seed), walk(400, seed)) for seed in range(4)])

    def stays(memory):
        drawn = join(prior.sample(600, 0, Manner(novelty=0.0, memory=memory)))
        goes_on = (drawn.places.diff() == 1) & (drawn.shares.argmax(dim=1).diff() == 0)
        return goes_on.float().mean().item()

    assert stays(64) > stays(4)


def test_the_cost_is_bounded_by_the_bank(monkeypatch):
    monkeypatch.setattr(Mosaic, "most_latents", 1000)
    prior = Mosaic(D)
    prior.fit([Recording(str(seed), walk(3000, seed)) for seed in range(5)])
    assert len(prior.rows.latents) <= 1000
    assert set(prior.rows.owner.tolist()) == set(range(5))
    assert prior.lengths.tolist() == [3000] * 5
    assert isinstance(prior._match(1), Matcher)


@pytest.mark.parametrize("memory", [4, 64, 200])
@pytest.mark.parametrize("n", [2, 5])
def test_sounds_shorter_than_a_block_of_the_coarsest_level_are_drawn(n, memory):
    prior = Mosaic(D)
    prior.fit([one_shot(1, seed) for seed in range(n)])
    drawn = join(prior.sample(120, 3, Manner(novelty=1.0, memory=memory)))
    assert drawn.path.isfinite().all()
    torch.testing.assert_close(drawn.shares.sum(dim=1), torch.ones(120))


def test_what_was_drawn_last_is_remembered_and_nothing_else_is(monkeypatch):
    prior, counts = Mosaic(3), []
    latents = torch.randn(3, 60, generator=torch.Generator().manual_seed(0))
    prior.fit([Recording("one", latents), Recording("two", latents.flip(1))])
    walk = prior._walk
    monkeypatch.setattr(prior, "_walk", lambda *given: counts.append(1) or walk(*given))
    first = join(prior.sample(20, 1, Manner()))
    again = join(prior.sample(20, 1, Manner()))
    assert len(counts) == 1
    assert torch.equal(first.path, again.path)
    for n_latents, seed, manner in ((21, 1, Manner()), (20, 2, Manner()), (20, 1, Manner(novelty=0.0))):
        join(prior.sample(n_latents, seed, manner))
    assert len(counts) == 4
    next(prior.sample(600, 3, Manner()))  # left half way: what is not whole is not remembered
    assert join(prior.sample(600, 3, Manner())).path.shape == (3, 600)
    prior.fit([Recording("other", latents * 2)])
    assert not torch.equal(join(prior.sample(600, 3, Manner())).path, first.path[:, :1])
