import pytest
import torch

from sda.audio.masking import SpectrogramMask

LIKE = torch.zeros(400, 32, 50)


def test_stretches_of_time_and_bands_are_hidden_as_often_and_as_widely_as_asked():
    hidden = SpectrogramMask(time_probability=0.5, time_frames=9)(LIKE, seed=0, step=1)
    lengths = hidden[:, 0].sum(dim=1)
    assert (hidden == hidden[:, :1]).all()  # all bands alike
    assert lengths.max() == 9
    assert (lengths > 0).float().mean().item() == pytest.approx(0.5, abs=0.075)  # three deviations
    starts = hidden[:, 0].int().diff(dim=1).clamp(min=0).sum(dim=1) + hidden[:, 0, 0]
    assert ((starts == 1) | (lengths == 0)).all()  # one stretch each

    hidden = SpectrogramMask(band_probability=1.0, bands=5)(LIKE, seed=0, step=1)
    assert (hidden == hidden[:, :, :1]).all()
    assert set(hidden[:, :, 0].sum(dim=1).tolist()) == {1, 2, 3, 4, 5}


def test_seed_and_step_decide():
    mask = SpectrogramMask(time_probability=0.5)
    assert torch.equal(mask(LIKE, 0, 7), mask(LIKE, 0, 7))
    assert not torch.equal(mask(LIKE, 0, 7), mask(LIKE, 0, 8))
    assert not torch.equal(mask(LIKE, 0, 7), mask(LIKE, 1, 7))


def test_nothing_is_drawn_where_nothing_is_ever_hidden():
    assert SpectrogramMask()(LIKE, 0, 0) is None
