import math

import pytest
import torch

from sda.app.builders import SIZES
from sda.audio.mel import LogMel
from sda.audio.span import find_sound, take_span
from sda.config.model import ModelSize
from sda.errors import ConfigError
from sda.losses.objective import describe_posterior, measure_batch
from sda.losses.spectral import SpectralObjective
from sda.models.latents import LOG_VARIANCE_BOUND, kl_to_standard_normal
from sda.models.spectral_vae import BOUND, LEVEL_DEVIATION, SpectralVAE
from tests.conftest import as_features

RATE_HZ = 16000


@pytest.fixture(scope="module")
def features():
    return LogMel(RATE_HZ, n_fft=512, hop_length=128, n_mels=32)


def _sounds(n_sounds=6, n_samples=4096):
    """Decaying tones and noises of different levels."""
    generator = torch.Generator().manual_seed(0)
    time_s = torch.arange(n_samples) / RATE_HZ
    sounds = []
    for number in range(n_sounds):
        tone = torch.sin(2 * math.pi * 300.0 * (1.0 + number) * time_s)
        noise = torch.randn(n_samples, generator=generator)
        sounds.append(0.3 / (1 + number) * (tone + 0.3 * noise) * torch.exp(-6.0 * time_s))
    return torch.stack(sounds)


def _build(features, **settings):
    torch.manual_seed(0)
    model = SpectralVAE(features=features, **{"latent_dim": 12, "channels": 16, "n_decoder_blocks": 2, **settings})
    model.fit([features.extract(_sounds())])
    return model


@pytest.fixture
def model(features):
    return _build(features)


def test_sizes_are_what_they_are_called():
    for size, expected in ((ModelSize.tiny, 1e6), (ModelSize.small, 3e6), (ModelSize.base, 13e6)):
        model = SpectralVAE(features=LogMel(), latent_dim=32, **SIZES[size])
        n_parameters = sum(parameter.numel() for parameter in model.parameters())
        assert 0.8 * expected < n_parameters < 1.25 * expected, n_parameters


@pytest.mark.parametrize("stride", [2, 4, 8])
@pytest.mark.parametrize("n_frames", [1, 4, 33, 34])
def test_any_length_goes_in_and_a_little_more_comes_out(features, n_frames, stride):
    model = _build(features, stride=stride)
    result = model(as_features(torch.randn(2, 32, n_frames)))
    n_latents = math.ceil(n_frames / model.stride)
    assert result.posterior.mean.shape == (2, 12, n_latents)
    assert result.output.shape == (2, n_latents * model.stride * 128)


def test_loudness_is_right_before_any_training(model, features):
    sounds = _sounds()
    with torch.no_grad():
        rebuilt = model.eval()(features.extract(sounds)).output[:, : sounds.shape[1]]
    error_db = 20 * (rebuilt.square().mean(dim=1).sqrt() / sounds.square().mean(dim=1).sqrt()).log10()
    assert error_db.abs().max() < 3.0


def test_timbre_is_roughly_right_before_any_training(model, features):
    sounds = _sounds()
    with torch.no_grad():
        rebuilt = model.eval()(features.extract(sounds)).output[:, : sounds.shape[1]]
        other = rebuilt.roll(1, dims=0)
        own, others = ((features(sounds) - features(sound)).abs().mean() for sound in (rebuilt, other))
    assert own < 0.5 * others


def test_the_latents_loudness_is_what_a_sound_is_played_at(model, features):
    with torch.no_grad():
        latents = model.eval().encode(features.extract(_sounds())).mean
        louder = latents.clone()
        louder[:, : model.stride] += 6.02 / 20 * math.log(10) / model.standardise_level.deviation  # 6 dB
        one, other = (model.decode(values).square().mean(dim=1).sqrt() for values in (latents, louder))
    torch.testing.assert_close(other / one, torch.full_like(one, 2.0), rtol=0.15, atol=0)


def test_every_parameter_learns(model, features):
    sounds = _sounds()
    objective = SpectralObjective(
        sample_rate_hz=RATE_HZ, weights={"mel": 1.0, "convergence": 1.0}, kl_weight=0.1, free_bits=0.0
    )
    before = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-2)
    for _ in range(3):  # what begins at zero hides what lies behind it from the first steps
        heard = features.extract(sounds)
        result = model.train()(heard)
        optimizer.zero_grad()
        loss = objective.score(objective.measure_each(result, sounds)).total().sum()
        (loss + objective.score_noise(result, heard)).backward()
        optimizer.step()
    still = [name for name, parameter in model.named_parameters() if torch.equal(parameter, before[name])]
    assert still == []


@pytest.mark.slow
def test_one_clip_is_learned_to_almost_nothing(features):
    sound = _sounds()[:1]
    model = _build(features, channels=32, dropout=0.0)
    objective = SpectralObjective(sample_rate_hz=RATE_HZ, weights={"mel": 1.0}, kl_weight=0.0, free_bits=0.0)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    heard = features.extract(sound)

    def error() -> float:
        with torch.no_grad():
            return objective.measure_each(model.eval()(heard), sound).distances.item()

    for step in range(750):
        for group in optimizer.param_groups:
            group["lr"] = 3e-3 * 0.5 * (1 + math.cos(math.pi * step / 750))
        errors = objective.measure_each(model.eval()(heard), sound, draw=True)  # means: noise would be a floor
        optimizer.zero_grad()
        objective.score(errors).total().sum().backward()
        optimizer.step()
    assert error() < 0.115  # 1 dB, as a mean over bands of all widths


def test_training_draws_and_judging_does_not(model, features):
    heard = features.extract(_sounds())
    assert not torch.equal(model.train()(heard).output, model(heard).output)
    assert torch.equal(model.eval()(heard).output, model(heard).output)


def test_one_chunk_does_not_depend_on_the_others_in_its_batch(model, features):
    heard = features.extract(_sounds())
    with torch.no_grad():
        torch.testing.assert_close(
            model.eval()(heard).output[2:3], model(features.extract(_sounds()[2:3])).output, atol=1e-5, rtol=1e-4
        )


def test_what_is_hidden_is_not_heard_but_its_loudness_is(model, features):
    heard = features.extract(_sounds())
    mask = torch.zeros_like(heard.log_mel, dtype=torch.bool)
    mask[:, 8:16] = True
    with torch.no_grad():
        plain, holes = (model.eval().encode(heard, mask) for mask in (None, mask))
    assert torch.equal(plain.mean[:, : model.stride], holes.mean[:, : model.stride])
    assert not torch.equal(plain.mean[:, model.stride :], holes.mean[:, model.stride :])


@pytest.mark.parametrize("scale", [0.0, 1.0, 1e6])
def test_whatever_comes_in_what_comes_out_is_finite(model, scale):
    result = model.eval()(as_features(scale * torch.randn(2, 32, 16)))
    assert result.posterior.log_variance.abs().max() <= LOG_VARIANCE_BOUND
    assert torch.isfinite(result.output).all()


def test_digital_silence_has_finite_gradients_and_stays_silent(model, features):
    silence = torch.zeros(1, 4096)
    objective = SpectralObjective(
        sample_rate_hz=RATE_HZ, weights={"mel": 1.0, "convergence": 1.0}, kl_weight=0.1, free_bits=0.0
    )
    result = model.train()(features.extract(silence))
    objective.score(objective.measure_each(result, silence)).total().sum().backward()
    assert all(torch.isfinite(p.grad).all() for p in model.parameters() if p.grad is not None)
    assert result.output.abs().max() < 1e-3


def test_bfloat16_says_nearly_the_same(model, features):
    sounds = _sounds()
    heard = features.extract(sounds)
    with torch.no_grad():
        exact = model.eval()(heard).output[:, : sounds.shape[1]]
        with torch.autocast("cpu", dtype=torch.bfloat16):
            rough = model(heard).output[:, : sounds.shape[1]]
    assert rough.dtype == torch.float32
    assert (features(exact) - features(rough)).abs().mean() < 0.12  # 1 dB
    assert (features(exact) - features(sounds)).abs().mean() > 0.12


def test_a_bounded_latent_stays_inside_and_its_noise_is_fixed(features):
    model = _build(features, bounded=True)
    heard = features.extract(_sounds())
    posterior = model.encode(heard._replace(log_mel=heard.log_mel * torch.linspace(-30, 30, 32)[:, None]))
    timbre = posterior.mean[:, model.stride :]
    assert timbre.abs().max() <= BOUND
    assert posterior.log_variance[:, model.stride :].unique().numel() == 1
    torch.testing.assert_close(
        posterior.log_variance[:, : model.stride],
        torch.full_like(posterior.mean[:, : model.stride], 2 * math.log(LEVEL_DEVIATION)),
    )


def test_components_that_were_fitted_to_varied_sound_hold_pitches_that_were_not_trained_on(features):
    def tones(*pitches_hz):
        time_s = torch.arange(4096) / RATE_HZ
        return features.extract(torch.stack([0.3 * torch.sin(2 * math.pi * hz * time_s) for hz in pitches_hz]))

    trained, unheard = tones(250.0, 600.0, 1400.0), tones(340.0, 860.0)
    varied = tones(*(ratio * hz for hz in (250.0, 600.0, 1400.0) for ratio in (0.7, 0.8, 1.2, 1.4)))
    models = [SpectralVAE(features=features, latent_dim=24, channels=16) for _ in range(2)]
    errors = []
    for model, given in zip(models, ([], [varied]), strict=True):
        model.fit([trained], given)
        patches = model._patches(model.standardise(unheard.log_mel - unheard.level[:, None])[:, :, :32])
        errors.append((model.synthesis(model.analysis(patches)) - patches).square().mean().item())
    assert errors[1] < 0.5 * errors[0]
    assert torch.equal(models[0].standardise.mean, models[1].standardise.mean), "statistics are those of training"


def test_fitting_to_less_sound_than_there_are_dimensions_is_finite(features):
    model = SpectralVAE(features=features, latent_dim=24, channels=16)
    model.fit([features.extract(_sounds(1, 600))])
    assert all(torch.isfinite(parameter).all() for parameter in model.parameters())
    assert torch.isfinite(model(features.extract(_sounds())).output).all()


def test_what_cannot_be_built_is_refused_with_a_way_out():
    with pytest.raises(ConfigError, match=r"audio\.n_fft to be twice or four times audio\.hop_length: .* 512 and 100"):
        SpectralVAE(features=LogMel(RATE_HZ, n_fft=512, hop_length=100, n_mels=32))
    with pytest.raises(ConfigError, match=r"training\.latent_dim=4 is too small .* Use 8 or more"):
        SpectralVAE(features=LogMel(RATE_HZ, n_fft=512, hop_length=128, n_mels=32), latent_dim=4)
    with pytest.raises(ConfigError, match=r"frames_per_latent=3 is not allowed: use an even number"):
        SpectralVAE(features=LogMel(RATE_HZ, n_fft=512, hop_length=128, n_mels=32), stride=3)


def _stems():
    """Chunks that are mostly digital silence, and one that is nothing else."""
    sounds = _sounds()
    sounds[:, 700:] = 0.0
    return torch.cat([sounds, torch.zeros(1, sounds.shape[1])])


def test_silence_spoils_neither_statistics_nor_components(features):
    stems = _stems()
    spans = take_span(find_sound(stems))
    model = _build(features)
    model.fit([features.extract(stems, spans)])
    n_sound = 700
    short = _build(features)
    short.fit([features.extract(stems[:-1, :n_sound])])
    torch.testing.assert_close(model.standardise.mean, short.standardise.mean, atol=1.0, rtol=0)
    assert (model.standardise.deviation >= 0.25).all()
    assert (model.standardise_level.deviation >= 0.5).all()
    assert model.analysis.weight.norm(dim=1).max() <= 10.0 + 1e-3, "nothing is divided by almost nothing"


def test_silence_has_a_place_in_the_latent_space(features):
    stems = _stems()
    heard = features.extract(stems, take_span(find_sound(stems)))
    model = _build(features)
    model.fit([heard])
    kl = kl_to_standard_normal(model.eval().encode(heard)).sum(dim=1)
    assert kl.max() < 1000, "nats a latent, where silence is met too"
    gap = describe_posterior(model(heard), heard.span)["kl_by_dimension"].sum(dim=1)
    assert gap[:-1].max() < 300


def test_components_of_sounds_shorter_than_a_latent_are_found(features):
    model = _build(features)
    hits = torch.zeros(4, 2048)
    hits[:, :160] = _sounds(4, 160)
    model.fit([features.extract(hits, take_span(find_sound(hits)))])
    assert torch.isfinite(model(features.extract(hits)).output).all()


def test_what_is_given_behind_the_end_of_a_sound_does_not_reach_the_figures(features):
    stems = _stems()[:2]
    heard = features.extract(stems, take_span(find_sound(stems)))
    objective = SpectralObjective(sample_rate_hz=RATE_HZ, weights={"mel": 1.0}, kl_weight=0.1, free_bits=0.0)
    result = _build(features).eval()(heard)
    noisy = result._replace(output=result.output + (torch.arange(result.output.shape[1]) >= 700))
    same = (measure_batch(objective, one, heard) for one in (result, noisy))
    for one, other in zip(*same, strict=True):
        assert torch.equal(one, other)
