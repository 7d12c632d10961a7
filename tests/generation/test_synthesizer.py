import pytest
import soundfile
import torch

from sda.generation.mel_synthesizer import MelSynthesizer
from sda.generation.previews import PreviewRenderer
from sda.generation.spectral_synthesizer import SpectralSynthesizer
from sda.generation.synthesizer import (
    TrainingSound,
    encode_path,
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


def test_the_chunks_of_a_mel_model_leave_no_trace_either(mel_synthesizer, sound):
    whole = MelSynthesizer(mel_synthesizer.model, mel_synthesizer.features, stretch_points=10_000)
    cut = MelSynthesizer(mel_synthesizer.model, mel_synthesizer.features, stretch_points=4)
    path = cut.encode(sound)
    assert path.shape[1] > 3 * cut.stretch_points
    torch.testing.assert_close(path, whole.encode(sound), atol=1e-5, rtol=1e-4)
    rendered, expected = (synthesizer.decode(path, len(sound)) for synthesizer in (cut, whole))
    # Griffin-Lim makes a rounding of spectrograms larger where there is next to no sound.
    assert (rendered - expected).square().sum() < 1e-3 * expected.square().sum()


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
        lambda latents, noise: lengths.append(latents.shape[2]) or decode(latents, noise),
    )
    generate_sound(spectral_synthesizer, 20 * RATE_HZ, seed=0, number=1)
    assert len(lengths) > 30
    assert max(lengths) <= spectral_synthesizer.stretch_points + 2 * spectral_synthesizer.model.context


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


def test_previews_are_complete_and_comparable_between_epochs(synthesizer, features, tmp_path):
    held_out = 0.1 * torch.randn(2, 4000)
    variations = 0.1 * torch.randn(3, 4000)
    renderer = PreviewRenderer(
        tmp_path,
        synthesizer,
        held_out=held_out,
        training=[TrainingSound("training", held_out.flatten())],
        n_samples=2,
        variations=variations,
    )
    previews = renderer.render(5)
    kinds = ["original", "reconstruction"] * 2 + ["interpolation"] + ["sample"] * 2
    assert [preview.kind for preview in previews] == kinds
    for preview in previews:
        assert soundfile.info(preview.audio).subtype == "PCM_16"
        assert (preview.picture is None) == (preview.kind == "original")
        assert preview.picture is None or preview.picture.read_bytes().startswith(b"\x89PNG")
    played, _ = soundfile.read(tmp_path / "epoch_0005" / "original_2.wav")
    torch.testing.assert_close(torch.from_numpy(played).float(), held_out[1], atol=1e-4, rtol=0)
    again = renderer.render(10)
    for before, after in zip(previews, again, strict=True):  # the same model: the same sounds
        assert before.audio.read_bytes() == after.audio.read_bytes()
    assert [preview.kind for preview in renderer.render_ceiling()] == ["ceiling"] * 2

    (preview,) = renderer.render_augmentation()
    played, rate_hz = soundfile.read(preview.audio)
    assert len(played) == 3 * (4000 + round(0.25 * rate_hz))  # one after the other, with pauses
    torch.testing.assert_close(torch.from_numpy(played[:4000]).float(), variations[0], atol=1e-4, rtol=0)
    assert preview.picture.exists()
