import pytest
import soundfile
import torch

from sda.audio.mel import LogMel
from sda.generation.previews import PreviewRenderer
from sda.generation.render import count_points, render_path
from sda.generation.sample import fit_density, interpolate, sample_path
from sda.models.mel_vae import MelVAE

RATE_HZ = 16000


@pytest.fixture(scope="module")
def features():
    return LogMel(RATE_HZ, n_fft=512, hop_length=128, n_mels=32)


@pytest.fixture(scope="module")
def model(features):
    torch.manual_seed(0)
    return MelVAE(32, features.n_frames(4000), 8).eval()


@pytest.mark.parametrize("n_samples", [1, 100, 4000, 4001, 50001])
def test_a_sound_has_just_the_length_asked_for(model, features, n_samples):
    latents = sample_path(model, count_points(model, features, n_samples), seed=1)
    sound = render_path(model, features, latents, n_samples)
    assert sound.shape == (n_samples,)
    assert torch.isfinite(sound).all()


def test_the_seed_decides_every_sample_of_it(model, features):
    first, again, other = (render_path(model, features, sample_path(model, 5, seed), 9000) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_a_path_is_as_likely_between_its_draws_as_at_them(model):
    noise = torch.stack([sample_path(model, 9, seed) for seed in range(4000)])  # the density is N(0, I) here
    deviation = noise.std(dim=(0, 2))
    torch.testing.assert_close(deviation, torch.ones(9), atol=0.03, rtol=0)


def test_one_latent_gives_the_chunk_that_it_decodes_to(model, features):
    latents = sample_path(model, 1, seed=3)
    whole = render_path(model, features, latents.repeat(4, 1))
    assert len(whole) == (3 * (model.n_frames // 2) + model.n_frames - 1) * features.hop_length


def test_a_straight_path_keeps_its_ends():
    path = interpolate(torch.tensor([1.0, 2.0]), torch.tensor([3.0, 0.0]), 5)
    torch.testing.assert_close(path[[0, -1]], torch.tensor([[1.0, 2.0], [3.0, 0.0]]))
    torch.testing.assert_close(path.diff(dim=0), path.diff(dim=0)[:1].expand(4, 2))


def test_the_density_follows_the_training_sounds(model):
    log_mels = [torch.randn(6, 32, model.n_frames) for _ in range(3)]
    fit_density(model, log_mels)
    with torch.no_grad():
        means = torch.cat([model.encode(model.standardise(batch)).mean for batch in log_mels])
    torch.testing.assert_close(model.density.mean, means.mean(dim=0), atol=1e-5, rtol=1e-4)


def test_previews_are_complete_and_comparable_between_epochs(model, features, tmp_path):
    held_out = 0.1 * torch.randn(2, 4000)
    variations = 0.1 * torch.randn(3, 4000)
    renderer = PreviewRenderer(
        tmp_path,
        model,
        features,
        held_out=held_out,
        training=[features(held_out)],
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
