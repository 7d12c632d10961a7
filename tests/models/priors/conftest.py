"""Mosaics of a stream and of one-shots."""

import pytest

from sda.models.priors.mosaic import Mosaic
from sda.models.priors.prior import Recording
from tests.models.priors.recordings import D, one_shot, walk


@pytest.fixture(scope="module")
def stream():
    prior = Mosaic(D)
    prior.fit([Recording(f"{seed}.wav", walk(90, seed)) for seed in range(8)])
    return prior


@pytest.fixture(scope="module")
def one_shots():
    prior = Mosaic(D)
    prior.fit([one_shot(18, seed) for seed in range(10)])
    return prior
