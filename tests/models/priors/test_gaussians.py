import math

import pytest
import torch

from sda.models.priors.gaussians import SequenceDensity

D = 3


def _walk(n_points, seed, offset=0.0, memory=0.9):
    """A vector autoregressive process of unit variance around `offset`, `[D, n_points]`."""
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(n_points + 50, D, generator=generator) * math.sqrt(1 - memory**2)
    state, states = torch.zeros(D), []
    for step in noise:
        state = memory * state + step
        states.append(state)
    return torch.stack(states[50:], dim=1) + offset


def _fit(sequences, **settings):
    density = SequenceDensity(sequences[0].shape[0], **settings)
    density.fit(sequences)
    return density


def _draw(density, n_points, seed=0, **settings):
    return density.sample(n_points, torch.Generator().manual_seed(seed), **settings)


@pytest.fixture(scope="module")
def density():
    return _fit([_walk(300, seed) for seed in range(8)])


@pytest.mark.parametrize("n_points", [1, 3, 4, 5, 64, 65, 200])
def test_a_path_is_told_a_few_points_at_a_time(density, monkeypatch, n_points):
    whole = _draw(density, 300)[:, :n_points]
    monkeypatch.setattr("sda.models.priors.gaussians.POINTS_AT_ONCE", 64)
    blocks = list(density.walk(n_points, torch.Generator().manual_seed(0)))
    assert max(block.shape[1] for block in blocks) <= 64
    assert torch.equal(torch.cat(blocks, dim=1), whole)


def test_a_long_path_has_the_process_own_moments_from_beginning_to_end(density):
    path = _draw(density, 14_000)  # ten minutes
    early, late = path[:, :7000], path[:, 7000:]
    for part in (early, late):
        assert part.mean(dim=1).abs().max() < 0.35
        torch.testing.assert_close(part.std(dim=1), torch.ones(D), atol=0.2, rtol=0)
    for lag in (1, 3, 6):
        similar = (path[:, :-lag] * path[:, lag:]).mean(dim=1) / path.square().mean(dim=1)
        torch.testing.assert_close(similar, torch.full((D,), 0.9**lag), atol=0.12, rtol=0)


def test_two_kinds_of_sound_are_both_drawn_and_never_mixed():
    near = [_walk(120, seed, offset=-8.0, memory=0.5) for seed in range(6)]
    far = [_walk(120, 10 + seed, offset=8.0, memory=0.5) for seed in range(2)]
    density = _fit([*near, *far])
    paths = torch.stack([_draw(density, 40, seed) for seed in range(60)])
    assert (paths.abs() > 2.0).all()
    assert (paths.sign() == paths[:, :1, :1].sign()).all()  # each stays with its kind
    assert 2 <= int((paths[:, 0, 0] > 0).sum()) <= 30  # a quarter of them, by the corpus


def test_what_is_drawn_is_no_copy():
    train = [_walk(60, seed) for seed in range(5)]
    density = _fit(train)
    fresh = [_walk(60, 100 + seed) for seed in range(5)]
    drawn = [_draw(density, 60, seed) for seed in range(5)]

    def nearest(sequences):
        known = torch.cat([sequence.unfold(1, 8, 1).permute(1, 2, 0).flatten(1) for sequence in train])
        pieces = torch.cat([sequence.unfold(1, 8, 8).permute(1, 2, 0).flatten(1) for sequence in sequences])
        return torch.cdist(pieces, known).amin(dim=1).median()

    assert nearest(drawn) > 0.7 * nearest(fresh)


def test_a_likely_sequence_is_told_from_an_unlikely_one(density):
    likely = density.log_likelihood(_walk(200, 50))
    assert likely > density.log_likelihood(_walk(200, 50, memory=0.0)) + 1.0
    assert likely > density.log_likelihood(_walk(200, 50, offset=4.0)) + 1.0


def test_more_gaussians_are_taken_only_where_they_explain_what_was_not_fitted_to(density):
    assert int((density.weights > 0).sum()) == 1
    kinds = [_walk(100, seed, offset=6.0 * (seed % 4), memory=0.3) for seed in range(16)]
    assert int((_fit(kinds).weights > 0).sum()) >= 4


def test_the_seed_decides_and_a_longer_path_begins_alike(density):
    path = _draw(density, 50, seed=3)
    assert torch.equal(path, _draw(density, 50, seed=3))
    assert torch.equal(path[:, :20], _draw(density, 20, seed=3))
    assert torch.equal(path[:, :2], _draw(density, 2, seed=3))
    assert not torch.equal(path, _draw(density, 50, seed=4))


def test_no_temperature_is_no_chance(density):
    still = _draw(density, 300, temperature=0.0)
    assert still[:, -50:].std(dim=1).max() < 1e-3
    assert _draw(density, 2000, temperature=0.5).std() < 0.8 * _draw(density, 2000).std()


def test_it_travels_with_its_state(density):
    other = SequenceDensity(D)
    other.load_state_dict(density.state_dict())
    assert torch.equal(_draw(other, 30), _draw(density, 30))


def test_before_it_is_fitted_it_is_white_noise():
    path = _draw(SequenceDensity(4), 4000)
    torch.testing.assert_close(path.std(dim=1), torch.ones(4), atol=0.05, rtol=0)
    assert (path[:, :-1] * path[:, 1:]).mean().abs() < 0.05


@pytest.mark.parametrize(
    "sequences",
    [
        [torch.randn(2, 3)],
        [torch.randn(2, 1)],
        [torch.ones(2, 40), torch.ones(2, 40)],
        [torch.randn(1, 30)],
        [torch.randn(2, 9), torch.randn(2, 2)],
    ],
    ids=["short", "point", "constant", "one dimension", "mixed"],
)
def test_tiny_corpora_give_finite_paths(sequences):
    density = _fit(sequences)
    path = _draw(density, 200)
    assert torch.isfinite(path).all()
    every = torch.cat(sequences, dim=1)
    assert path.max() <= every.max() + 0.1  # never beyond what was heard
    assert path.min() >= every.min() - 0.1


def test_of_many_equal_sequences_stretches_are_taken_from_every_place():
    sequences = [torch.arange(24.0).expand(1, 24) for _ in range(2000)]
    stretches, owners = SequenceDensity(1)._cut(sequences)
    assert len(stretches) == len(owners) == 2000
    places, counts = stretches[:, 0].unique(return_counts=True)
    assert len(places) == 21
    assert counts.min() > 50
    assert len(owners.unique()) > 1000


def test_a_steady_sound_stays_steady_beside_a_restless_one():
    steady = [0.05 * _walk(60, seed) - 6.0 for seed in range(4)]
    restless = [_walk(60, 10 + seed) + 6.0 for seed in range(4)]
    density = _fit([*steady, *restless])
    paths = [_draw(density, 60, seed) for seed in range(40)]
    deviations = [path.std(dim=1).mean().item() for path in paths if path[0, 0] < 0]
    assert len(deviations) > 5
    assert max(deviations) < 0.15, "three times its own at most"
