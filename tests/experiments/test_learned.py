"""The learned prior of experiment 007: what it is shown, that it learns, and that draws can be repeated."""

import importlib.util
import itertools
import sys
from pathlib import Path

import pytest
import torch

from sda.models.priors.prior import Manner, Recording, join

FILE = Path(__file__).parents[2] / "experiments" / "007-new-sound" / "learned.py"


@pytest.fixture(scope="module")
def learned():
    spec = importlib.util.spec_from_file_location("learned", FILE)
    module = importlib.util.module_from_spec(spec)
    sys.modules["learned"] = module
    spec.loader.exec_module(module)
    module.N_JUDGED = 16
    yield module
    del sys.modules["learned"]


def make_recordings(n, seed):
    """Sounds that rise from the first latent to the last, whatever their length, in silence."""
    generator = torch.Generator().manual_seed(seed)
    lengths = torch.randint(20, 40, (n,), generator=generator).tolist()
    recordings = []
    for number, length in enumerate(lengths):
        path = torch.stack([torch.linspace(-1, 1, length), torch.linspace(1, -1, length)])
        path = path + 0.05 * torch.randn(path.shape, generator=generator)
        silence = torch.full((2, 1), -9.0)
        whole = torch.cat([silence, silence, path, silence], dim=1)
        recordings.append(Recording(f"{number}.wav", whole, lead=2, tail=1, start=-2))
    return recordings


@pytest.fixture(scope="module")
def fitted(learned):
    steps = itertools.count()
    prior = learned.Learned(
        2,
        held_out=make_recordings(4, 1),
        seconds=600,
        batch_size=8,
        width=36,
        n_layers=2,
        is_stopped=lambda: next(steps) == 300,
    )
    prior.fit(make_recordings(12, 0))
    return prior


def test_windows_know_where_they_lie_and_hold_no_silence_around_a_sound(learned):
    (recording, *_) = recordings = make_recordings(1, 0)
    batch = learned.Sounds(recordings, torch.zeros(2), torch.ones(2)).draw(64, torch.Generator().manual_seed(0))
    length = recording.latents.shape[1] - 3
    known = batch.real & (batch.from_start >= 0) & (batch.to_end >= 0)
    assert known.any()
    assert torch.equal((batch.from_start + batch.to_end)[known], torch.full((int(known.sum()),), length - 1.0))
    places = batch.from_start[known].long()
    assert torch.equal(batch.latents[known], recording.latents[:, 2:-1].T[places])
    assert not (batch.given & ~batch.real).any()


def test_it_learns_what_held_out_sounds_do(fitted):
    curve = fitted.progress.curve
    assert fitted.progress.n_steps == 300
    assert fitted.progress.best_held_out_loss < 0.6 * curve[0][1]


def test_a_whole_path_rises_from_its_first_latent_to_its_last(fitted):
    paths = torch.stack([join(fitted.sample(30, seed, Manner(), whole=True)).path for seed in range(8)])
    mean = paths.mean(dim=0)
    assert mean[0, :5].mean() < -0.5
    assert mean[0, -5:].mean() > 0.5


def test_draws_have_the_form_of_any_prior_and_follow_the_seed(fitted, learned):
    drawn = list(fitted.sample(500, 3, Manner(), whole=True))
    again, other = (join(fitted.sample(500, seed, Manner(), whole=True)) for seed in (3, 4))
    path, shares, places = join(drawn)
    assert [one.path.shape[1] for one in drawn] == [216, 108, 108, 68]
    assert path.shape == (2, 500)
    assert shares.shape == (500, 12)
    assert not shares.any()
    assert torch.equal(places, torch.full((500,), -1))
    assert torch.equal(path, again.path)
    assert not torch.equal(path, other.path)


def test_a_variation_of_strength_0_is_the_path_itself(fitted):
    path = torch.randn(2, 250, generator=torch.Generator().manual_seed(0))
    same, near = (join(fitted.vary(path, strength, 0, Manner())).path for strength in (0.0, 0.2))
    torch.testing.assert_close(same, path)
    assert float((near - path).square().mean()) > 0.01


def test_what_is_stored_draws_the_same(fitted, learned, tmp_path):
    fitted.save(tmp_path / "prior.safetensors")
    stored = learned.Learned.load(tmp_path / "prior.safetensors")
    assert stored.names == fitted.names
    assert stored.draw_length(5) == fitted.draw_length(5)
    ours, theirs = (join(one.sample(30, 0, Manner(), whole=True)).path for one in (fitted, stored))
    torch.testing.assert_close(theirs, ours, rtol=0, atol=0.05)  # half precision


def test_bfloat16_computes_the_same_velocity_nearly(learned):
    torch.manual_seed(0)
    flow = learned.Flow(2, width=36, n_layers=2).eval()
    for one in flow.parameters():
        torch.nn.init.normal_(one, std=0.1)
    x, times, place = torch.randn(3, 10, 2), torch.rand(3, 10), torch.arange(10.0).expand(3, 10)
    real = torch.ones(3, 10, dtype=torch.bool)
    exact = flow(x, times, place, place, real)
    with torch.autocast("cpu", torch.bfloat16):
        rough = flow(x, times, place, place, real)
    assert rough.dtype == torch.float32
    torch.testing.assert_close(rough, exact, rtol=0.1, atol=0.1)
