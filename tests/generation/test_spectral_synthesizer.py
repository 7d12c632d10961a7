"""The synthesizer of a network that writes waveforms: stretches leave no trace, and noise follows from its seed."""

import pytest
import torch

from sda.generation.spectral_synthesizer import SpectralSynthesizer
from sda.generation.synthesizer import (
    generate_sound,
    reconstruct_sound,
)
from tests.generation.conftest import RATE_HZ


@pytest.mark.parametrize("seed", [None, 7])
def test_stretches_leave_no_trace(spectral_synthesizer, sound, seed):
    whole = SpectralSynthesizer(spectral_synthesizer.model, spectral_synthesizer.features, stretch_points=10_000)
    path = spectral_synthesizer.encode(sound)
    assert path.shape[1] > 3 * spectral_synthesizer.stretch_points
    torch.testing.assert_close(path, whole.encode(sound), atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(
        spectral_synthesizer.decode(path, len(sound), seed), whole.decode(path, len(sound), seed), atol=1e-5, rtol=1e-4
    )


def test_the_seed_decides_the_noise_in_a_sound_and_nothing_else(spectral_synthesizer, sound, monkeypatch):
    path = spectral_synthesizer.encode(sound)
    first, again, other, plain = (spectral_synthesizer.decode(path, len(sound), seed) for seed in (1, 1, 2, None))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    features = spectral_synthesizer.features
    bands = [features(one[None]).mean(dim=2) for one in (first, other)]
    assert (bands[0] - bands[1]).abs().max() < 0.5, "the same sound, drawn anew"
    assert torch.equal(plain, spectral_synthesizer.decode(path, len(sound)))
    assert torch.equal(plain, reconstruct_sound(spectral_synthesizer, sound))
    monkeypatch.setattr(spectral_synthesizer, "writes_noise", False)
    assert torch.equal(plain, spectral_synthesizer.decode(path, len(sound), 1))


def test_chunks_have_noise_of_their_own_which_follows_from_their_seeds(spectral_synthesizer, sound):
    chunk = sound[None, :4000]
    twice = spectral_synthesizer.reconstruct(chunk.expand(2, -1), seed=5)
    assert not torch.equal(twice[0], twice[1])
    torch.testing.assert_close(twice[1], spectral_synthesizer.reconstruct(chunk, seed=6)[0], atol=1e-5, rtol=1e-4)
    plain = spectral_synthesizer.reconstruct(chunk.expand(2, -1))
    assert torch.equal(plain[0], plain[1])


def test_noise_is_as_loud_as_the_sound_was(spectral_synthesizer, sound):
    rebuilt = reconstruct_sound(spectral_synthesizer, sound, seed=3)
    error_db = 10 * (rebuilt.square().mean() / sound.square().mean()).log10()
    assert error_db.abs() < 0.3


@pytest.mark.parametrize("seed", [None, 7])
def test_without_its_context_a_stretch_would_leave_one(spectral_synthesizer, sound, seed):
    path = spectral_synthesizer.encode(sound)
    cut = spectral_synthesizer.model.context + 20
    n_samples = cut * spectral_synthesizer.hop_samples
    left, whole = (spectral_synthesizer.decode(path[:, :n], n_samples, seed) for n in (cut, path.shape[1]))
    end = (cut - spectral_synthesizer.model.context) * spectral_synthesizer.hop_samples
    torch.testing.assert_close(left[:end], whole[:end], atol=1e-5, rtol=1e-4)
    assert (left[end:] - whole[end:]).abs().max() > 1e-3


def test_in_a_minute_of_sound_the_places_where_it_was_joined_are_like_all_others(spectral_synthesizer, features):
    """Spectral flux, the change from frame to frame: at a seam it would stand out."""
    synthesizer = spectral_synthesizer
    minute = generate_sound(synthesizer, 60 * RATE_HZ, seed=3, number=1)
    flux = features(minute[None])[0].diff(dim=1).square().mean(dim=0).sqrt().double()
    frames = torch.arange(len(flux))
    joint = synthesizer.stretch_points * synthesizer.hop_samples // features.hop_length
    near = ((frames + 2) % joint < 4) & (frames > joint - 4)
    assert near.sum() > 100
    ranks = flux.argsort().argsort().double() / len(flux)
    # The mean rank of n places picked at random deviates by 0.29 / √n.
    deviation = 0.29 / near.sum().double().sqrt()
    assert (ranks[near].mean() - 0.5).abs() < 4 * deviation
    assert flux[near].max() < 1.2 * flux[~near].max(), "and no single one is a click"


def test_a_seam_would_stand_out(spectral_synthesizer, features):
    synthesizer = spectral_synthesizer
    pieces = [generate_sound(synthesizer, 16 * synthesizer.hop_samples, seed=seed, number=1) for seed in range(120)]
    flux = features(torch.cat(pieces)[None])[0].diff(dim=1).square().mean(dim=0).sqrt().double()
    frames = torch.arange(len(flux))
    near = ((frames + 2) % 64 < 4) & (frames > 60)
    ranks = flux.argsort().argsort().double() / len(flux)
    assert ranks[near].mean() - 0.5 > 4 * 0.29 / near.sum().double().sqrt()


def test_however_long_the_sound_the_network_is_given_a_stretch_at_a_time(spectral_synthesizer, monkeypatch):
    lengths = []
    decode = spectral_synthesizer.model.decode
    monkeypatch.setattr(
        spectral_synthesizer.model,
        "decode",
        lambda latents, *noise: lengths.append(latents.shape[2]) or decode(latents, *noise),
    )
    generate_sound(spectral_synthesizer, 20 * RATE_HZ, seed=0, number=1)
    assert len(lengths) > 30
    assert max(lengths) <= spectral_synthesizer.stretch_points + 2 * spectral_synthesizer.model.context
