import pytest
import torch

from sda.generation.synthesizer import (
    encode_path,
    find_edges,
    generate_sound,
    generate_stretches,
    morph,
    morph_stretches,
    reconstruct_sound,
)
from tests.generation.conftest import RATE_HZ


@pytest.mark.parametrize("n_samples", [1, 100, 4000, 4001, 50001])
def test_a_sound_has_just_the_length_asked_for(synthesizer, n_samples):
    new = generate_sound(synthesizer, n_samples, seed=1, number=1)
    assert new.shape == (n_samples,)
    assert torch.isfinite(new).all()


def test_seed_and_number_decide_every_sample_of_it(synthesizer):
    first, again = (generate_sound(synthesizer, 9000, seed=1, number=2) for _ in range(2))
    assert torch.equal(first, again)
    for seed, number in ((2, 2), (1, 1)):
        assert not torch.equal(first, generate_sound(synthesizer, 9000, seed=seed, number=number))


@pytest.mark.parametrize("n_samples", [300, 4000, 20001])
def test_a_reconstruction_is_as_long_as_its_sound(synthesizer, sound, n_samples):
    rebuilt = reconstruct_sound(synthesizer, sound[:n_samples])
    assert rebuilt.shape == (n_samples,)
    assert torch.isfinite(rebuilt).all()


def test_chunks_come_back_as_long_as_they_were_and_are_described(synthesizer, sound):
    chunks = sound.unfold(0, 4000, 4000)
    assert synthesizer.reconstruct(chunks).shape == chunks.shape
    posterior = synthesizer.posterior(chunks)
    assert posterior.mean.shape[:2] == posterior.log_variance.shape[:2] == (len(chunks), 8)


@pytest.mark.parametrize("n_block", [700, 9000])
def test_it_does_not_matter_in_which_blocks_a_sound_or_a_path_comes(synthesizer, sound, n_block):
    path = synthesizer.encode(sound)
    assert torch.equal(torch.cat(list(synthesizer.encode_stretches(torch.split(sound, n_block))), dim=1), path)
    assert torch.equal(encode_path(synthesizer, torch.split(sound, n_block), path.shape[1] + 5), path)
    for seed in (None, 7):
        rendered = torch.cat(list(synthesizer.decode_stretches(torch.split(path, 3, dim=1), len(sound), seed)))
        assert torch.equal(rendered, synthesizer.decode(path, len(sound), seed))


def test_a_sound_is_made_while_it_is_asked_for(synthesizer, monkeypatch):
    """Of an hour, the first stretch costs no more than a stretch: nothing whole is drawn, decoded or held."""
    lengths = []
    decode = synthesizer.model.decode

    def count(latents, *noise):
        lengths.append(latents.shape[2] if latents.dim() == 3 else len(latents))
        return decode(latents, *noise)

    monkeypatch.setattr(synthesizer.model, "decode", count)
    stretches = generate_stretches(synthesizer, 3600 * RATE_HZ, seed=0, number=1)
    assert lengths == []
    assert len(next(stretches)) < 30 * RATE_HZ
    assert sum(lengths) * synthesizer.hop_samples < 60 * RATE_HZ


def test_a_morph_keeps_its_ends_and_goes_straight_between_points():
    path = morph(torch.tensor([[1.0], [2.0]]), torch.tensor([[3.0], [0.0]]), 5)
    torch.testing.assert_close(path[:, [0, -1]], torch.tensor([[1.0, 3.0], [2.0, 0.0]]))
    torch.testing.assert_close(path.diff(dim=1), path.diff(dim=1)[:, :1].expand(2, 4))


def test_a_morph_of_many_points_comes_in_blocks(monkeypatch):
    start, end = torch.randn(3, 40), torch.randn(3, 70)
    whole = morph(start, end, 300)
    monkeypatch.setattr("sda.generation.synthesizer.POINTS_AT_ONCE", 64)
    blocks = list(morph_stretches(start, end, 300))
    assert [block.shape[1] for block in blocks] == [64, 64, 64, 64, 44]
    assert torch.equal(torch.cat(blocks, dim=1), whole)


def test_where_a_sound_begins_and_ends_is_heard():
    steady = torch.ones(4000)
    fading = torch.linspace(1.0, 0.0, 4000) ** 3
    assert find_edges(steady, 100) == (False, False)
    assert find_edges(fading, 100) == (True, True)
    assert find_edges(fading.flip(0), 100) == (True, False)
    assert find_edges(torch.ones(150), 100) == (True, True), "so short a sound is a whole one"
