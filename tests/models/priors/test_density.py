"""The prior of Gaussians: it knows no sources, and hardly any of the silence around a sound is fitted to."""

import pytest
import torch

from sda.models.priors.density import Density
from sda.models.priors.prior import Manner, Recording, join
from tests.models.priors.recordings import SILENCE, D, walk


@pytest.fixture(scope="module")
def density():
    fitted = Density(D)
    fitted.fit([Recording(f"{seed}.wav", walk(70, seed)) for seed in range(4)])
    return fitted


def test_where_new_sound_comes_from_is_not_known(density):
    drawn = join(density.sample(100, 0, Manner()))
    assert drawn.path.shape == (D, 100)
    assert drawn.shares.shape == (100, 0)
    assert (drawn.places == -1).all()


def test_novelty_and_memory_are_nothing_to_it(density):
    plain, other = (join(density.sample(100, 0, manner)).path for manner in (Manner(), Manner(novelty=0.9, memory=4)))
    assert torch.equal(plain, other)


def test_new_sound_is_not_mostly_silence_where_its_recordings_are():
    recordings = []
    for seed in range(6):
        latents = torch.full((D, 100), SILENCE)
        latents[:, 10:40] = walk(30, seed) + 2.0
        recordings.append(Recording(f"{seed}.wav", latents, lead=10, tail=60))
    prior = Density(D)
    prior.fit(recordings)
    drawn = join(prior.sample(300, 0, Manner())).path
    assert ((drawn - SILENCE).abs().amax(dim=0) < 1.0).float().mean() < 0.25
    assert prior.lengths.tolist() == [30] * 6, "of the sounds alone"


@pytest.mark.parametrize(
    "lengths", [torch.ones(3, dtype=torch.int64), torch.zeros(4, dtype=torch.int64), torch.ones(4)]
)
def test_lengths_that_are_none_are_refused(density, lengths):
    with pytest.raises(ValueError, match="lengths of its recordings"):
        Density(D).restore({**density.tensors(), "lengths": lengths}, density.facts())


def test_a_mixture_that_is_none_is_refused(density):
    for key, value in density.mixture.state_dict().items():
        with pytest.raises(ValueError, match=f"its {key} have not the form"):
            Density(D).restore({**density.tensors(), key: value[..., None]}, density.facts())
        if value.dtype.is_floating_point:
            with pytest.raises(ValueError, match=f"its {key} have not the form"):
                Density(D).restore({**density.tensors(), key: value * float("nan")}, density.facts())
