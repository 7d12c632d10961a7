import copy
import math
import sys

import pytest
import torch

from sda.losses.adversarial import (
    discriminator_hinge_loss,
    feature_matching_loss,
    generator_hinge_loss,
    mean_score,
)
from sda.models.discriminator import COMPRESSION, SpectralDiscriminator, SpectralDiscriminators

RATE_HZ = 16000


def _sine(frequency_hz: float, n_samples: int, level: float = 1.0) -> torch.Tensor:
    time_s = torch.arange(n_samples, dtype=torch.float64) / RATE_HZ
    return level * torch.sin(2 * math.pi * frequency_hz * time_s)[None].float()


def _noise(n_items: int, n_samples: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(n_items, n_samples, generator=torch.Generator().manual_seed(seed))


def _small(n_ffts=(256, 128), channels=8) -> SpectralDiscriminators:
    torch.manual_seed(0)
    return SpectralDiscriminators(n_ffts, channels)


def _step(networks: SpectralDiscriminators, loss: torch.Tensor) -> None:
    """Go down the gradient's signs, about as Adam does; torch's own optimisers import its compiler."""
    parameters = list(networks.parameters())
    with torch.no_grad():
        for parameter, gradient in zip(parameters, torch.autograd.grad(loss, parameters), strict=True):
            parameter.sub_(gradient.sign(), alpha=2e-3)


def test_20_db_more_are_about_a_factor_of_two_in_what_is_heard_and_phases_are_kept():
    listener = SpectralDiscriminator(512, 8)
    quiet, loud = (listener.compress(_noise(1, 8000) * level) for level in (0.1, 1.0))
    audible = quiet.norm(dim=1, keepdim=True) > 0.2  # far above where compression ends
    assert audible.float().mean() > 0.9
    torch.testing.assert_close(loud * audible, quiet * audible * 10**COMPRESSION, rtol=1e-3, atol=1e-3)
    # A quarter of a period later: a constant angle at the tone's own frequency, and the same magnitude.
    early, late = (listener.compress(_sine(1000, 8004)[:, start : 8000 + start])[0, :, 32, 10] for start in (0, 4))
    assert early.norm().item() == pytest.approx(late.norm().item(), rel=1e-3)
    assert (early @ late).item() == pytest.approx(0.0, abs=1e-3)


def test_noise_of_one_level_is_heard_alike_at_every_resolution():
    noise = _noise(1, 48000)
    heard = [SpectralDiscriminator(n_fft, 8).compress(noise).square().mean().item() for n_fft in (2048, 512)]
    assert heard[0] == pytest.approx(heard[1], rel=0.03)


def test_below_the_floor_what_is_heard_is_proportional():
    listener = SpectralDiscriminator(256, 8)
    faint = 1e-7 * _noise(1, 4000)
    torch.testing.assert_close(listener.compress(2 * faint), 2 * listener.compress(faint), rtol=1e-3, atol=0.0)


def test_what_goes_on_for_ever_does_not_seem_to_begin_or_end():
    heard = SpectralDiscriminator(256, 8).compress(torch.ones(1, 4000))
    for end in (0, -1):
        torch.testing.assert_close(heard[..., end], heard[..., 30], atol=1e-3, rtol=0.0)


@pytest.mark.parametrize(
    "waveform",
    [
        torch.zeros(2, 3000),
        1e-30 * _noise(2, 3000),
        _noise(2, 3000).clamp(-1, 1),
        (100 * _noise(2, 3000)).clamp(-1, 1),
        1e4 * _noise(2, 3000),
        torch.cat([torch.zeros(2, 1500), torch.ones(2, 1500)], dim=1),
    ],
    ids=["silence", "next to silence", "full scale", "clipped", "far too loud", "a step"],
)
def test_gradients_are_finite_whatever_is_heard(waveform):
    networks = _small()
    waveform = waveform.clone().requires_grad_()
    judgements = networks(waveform)
    generator_hinge_loss(judgements.scores).backward()
    assert torch.isfinite(waveform.grad).all()
    assert all(torch.isfinite(parameter.grad).all() for parameter in networks.parameters())


def test_silence_can_be_left():
    silence = torch.zeros(1, 3000, requires_grad=True)
    generator_hinge_loss(_small()(silence).scores).backward()
    assert silence.grad.abs().max() > 0


def test_the_features_of_every_layer_pull_at_the_waveform():
    networks = _small()
    waveform = _noise(1, 3000).requires_grad_()
    real, fake = networks(_sine(500, 3000)).features, networks(waveform).features
    for real_layers, fake_layers in zip(real, fake, strict=True):
        for real_layer, fake_layer in zip(real_layers, fake_layers, strict=True):
            loss = feature_matching_loss([[real_layer]], [[fake_layer]])
            (gradient,) = torch.autograd.grad(loss, waveform, retain_graph=True)
            assert gradient.abs().max() > 0


def test_how_long_a_weights_vector_has_grown_does_not_matter():
    networks, waveform = _small(), _noise(1, 3000)
    with torch.no_grad():
        before = networks(waveform).scores
        directions = [each for name, each in networks.named_parameters() if name.endswith("weight.original1")]
        assert len(directions) == 2 * 6  # all layers and the score of two resolutions
        for direction in directions:
            direction.mul_(3.0)
        for one, other in zip(networks(waveform).scores, before, strict=True):
            torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-4)


def test_every_parameter_gets_a_gradient_and_moves():
    networks = _small()
    before = {name: parameter.detach().clone() for name, parameter in networks.named_parameters()}
    _step(networks, discriminator_hinge_loss(networks(_noise(2, 3000)).scores, networks(_sine(500, 3000)).scores))
    assert [name for name, parameter in networks.named_parameters() if torch.equal(parameter, before[name])] == []


def test_a_few_steps_tell_noise_from_a_tone():
    networks = _small()

    def draw(step: int) -> tuple[torch.Tensor, torch.Tensor]:
        rng = torch.Generator().manual_seed(step)
        levels = 0.3 * 10 ** (-torch.rand(8, 1, generator=rng))  # over 20 dB: loudness alone tells nothing
        hz = (200 + 3000 * torch.rand(4, generator=rng)).tolist()
        tones = torch.cat([_sine(frequency_hz, 2000) for frequency_hz in hz])
        return 0.7 * _noise(4, 2000, seed=step) * levels[:4], tones * levels[4:]

    for step in range(30):
        noise, tones = draw(step)
        _step(networks, discriminator_hinge_loss(networks(noise).scores, networks(tones).scores))
    noise, tones = draw(1000)  # none of those that were trained on
    with torch.no_grad():
        for score_of_noise, score_of_tones in zip(networks(noise).scores, networks(tones).scores, strict=True):
            assert score_of_noise.mean(dim=(1, 2)).min() > 0.3
            assert score_of_tones.mean(dim=(1, 2)).max() < -0.3


def test_one_item_does_not_depend_on_the_others_in_its_batch():
    networks = _small()
    batch = _noise(4, 3000)
    with torch.no_grad():
        for together, alone in zip(networks(batch).scores, networks(batch[2:3]).scores, strict=True):
            torch.testing.assert_close(together[2:3], alone, atol=1e-5, rtol=1e-4)


def test_a_score_hears_a_patch_and_no_more():
    networks = _small(n_ffts=(128,))
    calm = 0.1 * _noise(1, 8000)
    clicked = calm.clone()
    clicked[:, 4000] += 1.0
    with torch.no_grad():
        moved = (networks(clicked).scores[0] - networks(calm).scores[0]).abs().amax(dim=(0, 1)).nonzero().flatten()
    centre = 4000 / 32  # frames
    assert moved.min() >= centre - 13
    assert moved.max() <= centre + 13
    assert len(moved) >= 21


def test_what_comes_out_and_how_large_it_all_is():
    networks = SpectralDiscriminators()
    with torch.no_grad():
        judgements = networks(0.1 * _noise(2, 24000))
    assert [len(layers) for layers in judgements.features] == [5, 5, 5]
    assert [tuple(scores.shape) for scores in judgements.scores] == [(2, 33, 47), (2, 17, 94), (2, 9, 188)]
    assert all(layer.shape[0] == 2 and layer.dim() == 4 for layers in judgements.features for layer in layers)
    assert all(0.1 < layer.std() < 1.0 for layers in judgements.features for layer in layers)  # nothing fades
    assert abs(mean_score(judgements.scores)) < 0.5  # undecided
    for resolution in networks.resolutions:
        assert 100_000 < sum(parameter.numel() for parameter in resolution.parameters()) < 300_000


def test_what_was_saved_scores_the_same():
    networks, other = _small(), SpectralDiscriminators((256, 128), 8)
    other.load_state_dict(networks.state_dict())
    with torch.no_grad():
        for one, two in zip(networks(_noise(1, 3000)).scores, other(_noise(1, 3000)).scores, strict=True):
            assert torch.equal(one, two)


def test_scores_are_single_precision_under_mixed_precision():
    with torch.autocast("cpu", torch.bfloat16):
        judgements = _small()(_noise(1, 3000))
    assert all(scores.dtype == torch.float32 and torch.isfinite(scores).all() for scores in judgements.scores)


def test_a_waveform_too_short_to_be_mirrored_is_refused():
    with pytest.raises(ValueError, match="128 samples is too short for n_fft=256"):
        _small()(torch.zeros(1, 128))


def test_torchs_compiler_is_not_asked_for(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch._dynamo", None)  # to import it would raise; it takes seconds
    networks = copy.deepcopy(_small(n_ffts=(64,)))
    networks.load_state_dict(networks.state_dict())
    networks(torch.zeros(1, 100)).scores[0].sum().backward()
