"""Batches of an epoch: every chunk as often as it should, from any batch on, whoever reads them."""

import pytest
import torch

from sda.audio.augmentation import Augmentation
from sda.training.config import RegularizationConfig
from sda.training.dataset import create_data_loaders
from tests.conftest import RATE_HZ
from tests.training.chunks import make_config


def test_an_epoch_visits_every_chunk_as_often_as_the_expansion_says(make_sounds):
    config = make_config(regularization=RegularizationConfig(augmentation_expansion=4))
    train, _ = create_data_loaders(sorted(make_sounds(4).iterdir()), config, sample_rate=RATE_HZ)
    assert sum(len(batch) for batch in train.iterate(1)) == 5 * train.dataset.n_chunks


def test_steps_hear_pieces_of_chunks_and_all_of_the_sound_as_often(make_sounds):
    files = sorted(make_sounds(4).iterdir())
    config = make_config(crop_fraction=0.5, regularization=RegularizationConfig(augmentation_expansion=4))
    train, held_out = create_data_loaders(files, config, sample_rate=RATE_HZ)
    assert {batch.shape[1:] for batch in train.iterate(1)} == {(1, RATE_HZ // 4)}
    assert {chunk.shape for chunk in held_out.dataset} == {(1, RATE_HZ // 2)}
    whole = train.dataset.recut(RATE_HZ // 2)
    pieces = torch.cat([train.dataset.grid_chunk(index) for index in range(train.dataset.n_chunks)], dim=1)
    chunks = torch.cat([whole.grid_chunk(index) for index in range(whole.n_chunks)], dim=1)
    assert pieces.square().sum() == pytest.approx(chunks.square().sum().item(), rel=1e-6)
    assert sum(len(batch) for batch in train.iterate(1)) == 5 * train.dataset.n_chunks > 5 * whole.n_chunks
    assert whole.extra_visits == 4
    assert whole.recut(RATE_HZ // 2) is whole


def test_an_epoch_can_be_taken_up_in_its_middle(make_sounds):
    files = sorted(make_sounds(4).iterdir())
    train, _ = create_data_loaders(files, make_config(), Augmentation(), sample_rate=RATE_HZ, seed=3)
    whole = list(train.iterate(epoch=2))
    rest = list(train.iterate(epoch=2, first_batch=3))
    assert len(rest) == len(whole) - 3 == len(train) - 3
    assert all(torch.equal(a, b) for a, b in zip(whole[3:], rest, strict=True))
    assert not torch.equal(whole[0], next(train.iterate(epoch=3)))


def test_workers_change_nothing(make_sounds):
    files = sorted(make_sounds(4).iterdir())
    alone, helped = (
        create_data_loaders(files, make_config(num_workers=n), Augmentation(), sample_rate=RATE_HZ)[0] for n in (0, 2)
    )
    for here, there in zip(alone.iterate(1), helped.iterate(1), strict=True):
        assert torch.equal(here, there)
