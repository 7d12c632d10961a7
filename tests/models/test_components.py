"""Principal components of patches whose components are known, and lines drawn between the centres of bands."""

import pytest
import torch

from sda.audio.mel import LogMel
from sda.models.components import (
    MIN_SCALE,
    MOST_FITTED_PATCHES,
    draw_patches,
    find_components,
    interpolate_bands,
    pad_frames,
)


def _make_patches(n_patches, deviations):
    """Patches around 5 that deviate by so much in one direction each."""
    generator = torch.Generator().manual_seed(0)
    return 5.0 + torch.randn(n_patches, len(deviations), generator=generator) * torch.tensor(deviations)


def test_the_directions_that_vary_most_are_found_the_largest_first():
    patches = _make_patches(4000, [0.5, 3.0, 1.0, 0.2])
    found = find_components(patches, 2)
    torch.testing.assert_close(found.centre, torch.full((4,), 5.0, dtype=torch.float64), atol=0.2, rtol=0)
    assert found.inwards.abs().argmax(dim=1).tolist() == [1, 2]
    latents = (patches.double() - found.centre) @ found.inwards.T
    torch.testing.assert_close(latents.std(dim=0), torch.ones(2, dtype=torch.float64), atol=0.01, rtol=0)
    torch.testing.assert_close(latents @ found.outwards + found.centre, patches.double(), atol=2.5, rtol=0)
    torch.testing.assert_close(
        (latents @ found.outwards + found.centre)[:, 1], patches[:, 1].double(), atol=0.2, rtol=0
    )


def test_with_as_many_components_as_numbers_nothing_is_lost():
    patches = _make_patches(300, [0.5, 3.0, 1.0])
    centre, inwards, outwards = find_components(patches, 3)
    torch.testing.assert_close((patches - centre) @ inwards.T @ outwards + centre, patches.double())


def test_components_that_there_are_too_few_patches_for_are_zeros():
    found = find_components(_make_patches(2, [1.0, 1.0, 1.0]), 3)
    assert (found.inwards[2] == 0).all()
    assert (found.outwards[2] == 0).all()


def test_what_hardly_deviates_is_not_blown_up():
    found = find_components(_make_patches(500, [1.0, 1e-4]), 2)
    assert found.inwards[1].norm().item() == pytest.approx(1 / MIN_SCALE)


def test_of_few_patches_all_are_drawn_in_their_order():
    patches = _make_patches(100, [1.0, 2.0])
    assert torch.equal(draw_patches(iter(patches.split(30))), patches)
    assert len(draw_patches(iter([]))) == 0
    assert len(draw_patches([torch.zeros(0, 3)])) == 0


def test_of_many_patches_each_is_as_likely_however_they_came():
    numbered = torch.arange(4.0 * MOST_FITTED_PATCHES)[:, None].expand(-1, 3)
    drawn = draw_patches(numbered.split(1000))
    assert torch.equal(drawn, draw_patches(numbered.split(777))), "batches are chance; the draw is not"
    places = drawn[:, 0]
    assert len(places.unique()) == len(places) == MOST_FITTED_PATCHES
    quarters = places.div(MOST_FITTED_PATCHES, rounding_mode="floor").int().bincount()
    assert (quarters / MOST_FITTED_PATCHES).tolist() == pytest.approx([0.25] * 4, abs=0.02)
    assert places.int().remainder(4).bincount().div(MOST_FITTED_PATCHES).tolist() == pytest.approx([0.25] * 4, abs=0.02)


@pytest.mark.parametrize(("n_frames", "n_padded"), [(1, 4), (4, 4), (5, 8)])
def test_the_last_frame_is_repeated_until_the_latents_are_whole(n_frames, n_padded):
    frames = torch.arange(2.0 * n_frames).view(1, 2, n_frames)
    padded = pad_frames(frames, 4)
    assert padded.shape == (1, 2, n_padded)
    assert torch.equal(padded[:, :, :n_frames], frames)
    assert (padded[:, :, n_frames:] == frames[:, :, -1:]).all()


def test_between_the_centres_of_bands_lines_are_straight():
    filters = LogMel(16000, n_fft=512, hop_length=128, n_mels=32).filters
    weights = interpolate_bands(filters)
    assert weights.shape == (filters.shape[1], 32)
    assert weights.min() >= 0.0
    torch.testing.assert_close(weights.sum(dim=1), torch.ones(len(weights)))
    bins = torch.arange(filters.shape[1], dtype=filters.dtype)
    centres = (filters @ bins) / filters.sum(dim=1)
    inside = (bins >= centres[0]) & (bins <= centres[-1])
    torch.testing.assert_close((weights @ centres)[inside], bins[inside], atol=1e-3, rtol=1e-4)
    torch.testing.assert_close((weights @ centres)[~inside], bins[~inside].clamp(centres[0], centres[-1]))
