"""What is asked of every prior."""

from itertools import pairwise

import pytest
import torch

from sda.models.priors.density import Density
from sda.models.priors.mosaic import Mosaic
from sda.models.priors.prior import Manner, Recording, choose_passages, join

D = 4


def walk(n_latents, seed, offset=0.0):
    """A path that moves slowly, `[D, n_latents]`."""
    noise = torch.randn(D, n_latents + 40, generator=torch.Generator().manual_seed(seed))
    smooth = torch.nn.functional.avg_pool1d(noise[None], 9, stride=1)[0]
    return 3.0 * smooth[:, 20 : 20 + n_latents] + offset


@pytest.fixture(scope="module", params=[Mosaic, Density])
def prior(request):
    fitted = request.param(D)
    fitted.fit([Recording(f"{seed}.wav", walk(70, seed)) for seed in range(6)])
    return fitted


@pytest.mark.parametrize("n_latents", [1, 3, 63, 64, 65, 200])
def test_a_path_is_as_long_as_asked_and_begins_as_a_longer_one(prior, n_latents):
    longer = join(prior.sample(300, 5, Manner()))
    drawn = join(prior.sample(n_latents, 5, Manner()))
    assert drawn.path.shape == (D, n_latents)
    assert len(drawn.shares) == len(drawn.places) == n_latents
    assert torch.equal(drawn.path, longer.path[:, :n_latents])


def test_the_seed_decides(prior):
    one, same, other = (join(prior.sample(90, seed, Manner())).path for seed in (1, 1, 2))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


def test_a_long_path_is_drawn_while_it_is_asked_for(prior):
    stretches = prior.sample(10**9, 0, Manner())
    assert next(stretches).path.shape[1] < 2000


def test_what_is_drawn_is_like_what_it_was_fitted_to(prior):
    path = join(prior.sample(4000, 0, Manner())).path
    real = torch.cat([walk(70, seed) for seed in range(6)], dim=1)
    torch.testing.assert_close(path.std(dim=1), real.std(dim=1), atol=0.3, rtol=0.2)
    step, real_step = (one.diff(dim=1).square().mean().sqrt() for one in (path, real))
    assert 0.5 < step / real_step < 1.5


def test_a_continuation_goes_on_from_where_it_was(prior):
    longest = walk(70, 1).diff(dim=1).square().sum(dim=0).sqrt().max()
    past, joints = walk(70, 1)[:, :40], []
    for seed in range(10):
        drawn = join(prior.continue_(past, 30, seed, Manner(novelty=0.0)))
        assert drawn.path.shape == (D, 30)
        joints.append((drawn.path[:, 0] - past[:, -1]).square().sum().sqrt())
    assert torch.stack(joints).mean() < longest
    assert max(joints) < 3.0 * longest


def test_a_relative_is_the_nearer_the_weaker_it_was_varied(prior):
    path = walk(150, 2)
    distances = [
        (join(prior.vary(path, strength, 3, Manner())).path - path).square().mean().sqrt().item()
        for strength in (0.0, 0.3, 1.0)
    ]
    assert distances[0] < 1e-4
    assert distances[0] < distances[1] < distances[2]
    assert distances[2] > 0.5


def test_it_comes_back_from_what_is_stored(prior):
    other = type(prior)(D)
    other.restore(prior.tensors(), prior.facts())
    assert other.names == prior.names == [f"{seed}.wav" for seed in range(6)]
    assert torch.equal(other.lengths, prior.lengths)
    assert prior.lengths.tolist() == [70] * 6
    assert torch.equal(join(other.sample(80, 1, Manner())).path, join(prior.sample(80, 1, Manner())).path)


def test_no_file_makes_it_read_what_is_not_there(prior):
    tensors, facts = prior.tensors(), prior.facts()
    for key in tensors:
        with pytest.raises((KeyError, ValueError, RuntimeError)):
            type(prior)(D).restore({name: one for name, one in tensors.items() if name != key}, facts)
        with pytest.raises((ValueError, IndexError)):
            type(prior)(D).restore({**tensors, key: torch.zeros(2, 3, 5)}, facts)
    for names in ("all", [], [1], ["0.wav"], ["0.wav"] * 6):
        with pytest.raises((ValueError, TypeError)):
            type(prior)(D).restore(tensors, {"names": names})


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("owner", torch.zeros(420, dtype=torch.int64)),  # a recording that there is nothing of
        ("owner", torch.arange(420) % 7),
        ("edges", torch.full((6, 2), 2**40)),
        ("edges", torch.full((6, 2), -1)),
        ("lengths", torch.zeros(6, dtype=torch.int64)),
        ("latents", torch.full((420, D), torch.nan)),
    ],
)
def test_a_bank_that_cannot_be_is_refused(key, value):
    prior = Mosaic(D)
    prior.fit([Recording(f"{seed}.wav", walk(70, seed)) for seed in range(6)])
    assert prior.tensors()[key].shape == value.shape
    with pytest.raises(ValueError, match="its bank"):
        Mosaic(D).restore({**prior.tensors(), key: value}, prior.facts())


def test_lengths_are_those_of_the_recordings_give_or_take_a_tenth():
    prior = Mosaic(D)
    prior.fit([Recording("short", walk(20, 0), lead=2, tail=4, start=-2), Recording("long", walk(100, 1))])
    assert prior.lengths.tolist() == [14, 100]
    drawn = torch.tensor([prior.draw_length(seed) for seed in range(200)])
    near_short, near_long = ((drawn >= 0.89 * length) & (drawn <= 1.11 * length) for length in (14, 100))
    assert (near_short | near_long).all()
    assert 60 < int(near_short.sum()) < 140


@pytest.mark.parametrize("lengths", [[70], [1, 1], [3, 3]])
def test_tiny_corpora_give_finite_paths(lengths):
    for kind in (Mosaic, Density):
        prior = kind(D)
        prior.fit([Recording(str(number), walk(length, number)) for number, length in enumerate(lengths)])
        for manner in (Manner(), Manner(novelty=0.0, memory=1), Manner(novelty=1.0, memory=300, temperature=0.0)):
            assert torch.isfinite(join(prior.sample(80, 0, manner)).path).all()


def test_a_constant_corpus_stays_constant():
    prior = Mosaic(D)
    prior.fit([Recording("a", torch.ones(D, 40)), Recording("b", torch.ones(D, 40))])
    torch.testing.assert_close(join(prior.sample(50, 0, Manner())).path, torch.ones(D, 50))


def test_of_very_much_every_recording_gives_as_much():
    lengths = [100, 20_000, 100_000]
    passages = choose_passages(lengths, 10_000)
    taken = [sum(last - first for first, last in own) for own in passages]
    assert taken[0] == 100
    assert taken[1] == pytest.approx(taken[2], rel=0.01)
    assert 9_900 <= sum(taken) <= 10_000
    for length, own in zip(lengths, passages, strict=True):
        assert own[0][0] == 0
        assert own[-1][1] == length
        assert all(earlier[1] <= later[0] for earlier, later in pairwise(own))


def test_nothing_to_fit_to_is_an_error():
    for kind in (Mosaic, Density):
        with pytest.raises(ValueError, match="at least one recording"):
            kind(D).fit([])
