import math

import pytest
import torch

from sda.audio.mel import LogMel
from sda.audio.overlap_add import inverse_stft
from sda.losses.objective import measure_batch
from sda.losses.spectral import SpectralObjective
from sda.models.noise_gate import NoiseGate
from sda.models.spectral_vae import DRAWN_SHARE, SpectralVAE

RATE_HZ, N_FFT, HOP = 16000, 512, 128


@pytest.fixture(scope="module")
def features():
    return LogMel(RATE_HZ, n_fft=N_FFT, hop_length=HOP, n_mels=32)


def _build(features, seed=0, **settings):
    torch.manual_seed(seed)
    return SpectralVAE(features=features, **{"latent_dim": 12, "channels": 16, "n_decoder_blocks": 2, **settings})


def _objective():
    return SpectralObjective(sample_rate_hz=RATE_HZ, weights={"mel": 1.0}, kl_weight=0.0, free_bits=0.0)


def _noise(n_items, n_samples, seed=0):
    return 0.1 * torch.randn(n_items, n_samples, generator=torch.Generator().manual_seed(seed))


def _tones(n_items, n_samples):
    time_s = torch.arange(n_samples) / RATE_HZ
    pitches_hz = 500.0 * (1 + torch.arange(n_items))[:, None]
    return 0.1 * torch.sin(2 * math.pi * pitches_hz * time_s)


def _open(gate, share):
    """Let everything but a millionth of it be so."""
    torch.nn.init.constant_(gate.to_share.bias, 14.0 if share else -14.0)


def _mix(gate, spectra, seed):
    noise = torch.randn(1, (spectra.shape[1] - 1) * HOP + N_FFT, generator=torch.Generator().manual_seed(seed))
    return gate.mix(spectra, gate(torch.zeros(1, spectra.shape[1], 16)), noise)


def _gate(features):
    return NoiseGate(16, torch.full((N_FFT // 2 + 1, 4), 0.25), features.window, HOP)


def test_a_closed_gate_leaves_what_was_written(features):
    gate = _gate(features)
    _open(gate, share=False)
    spectra = torch.randn(1, 50, N_FFT // 2 + 1, dtype=torch.complex64)
    with torch.no_grad():
        torch.testing.assert_close(_mix(gate, spectra, 0), spectra, atol=0.01, rtol=0)


def test_an_open_one_gives_noise_as_loud_as_noise_with_such_magnitudes(features):
    """The root of the mean power of real noise in, its level out: nothing is lost where the frames overlap."""
    gate = _gate(features)
    _open(gate, share=True)
    magnitude = 0.1 * features.window.square().sum().sqrt()
    spectra = magnitude * torch.ones(1, 400, N_FFT // 2 + 1, dtype=torch.complex64)
    with torch.no_grad():
        sounds = [inverse_stft(_mix(gate, spectra, seed), features.window, HOP, 400 * HOP)[0] for seed in (0, 1)]
    for sound in sounds:
        assert sound[N_FFT:-N_FFT].std() == pytest.approx(0.1, rel=0.02)
    correlation = torch.corrcoef(torch.stack(sounds))[0, 1]
    assert correlation.abs() < 0.05


def test_noise_does_not_flutter_at_the_rate_of_the_frames(features):
    gate = _gate(features)
    _open(gate, share=True)
    spectra = torch.ones(1, 2000, N_FFT // 2 + 1, dtype=torch.complex64)
    with torch.no_grad():
        sound = inverse_stft(_mix(gate, spectra, 0), features.window, HOP, 2000 * HOP)[0]
    envelope = sound.unfold(0, 16, 16).square().mean(dim=1)  # eight a frame
    pieces = (envelope - envelope.mean()).unfold(0, 1024, 512) * torch.hann_window(1024)
    spectrum = torch.fft.rfft(pieces).abs().square().mean(dim=0)
    at_rate = 1024 // 8
    around = torch.cat([spectrum[at_rate - 30 : at_rate - 4], spectrum[at_rate + 5 : at_rate + 31]]).mean()
    assert spectrum[at_rate - 1 : at_rate + 2].mean() < 2.0 * around


def test_half_a_gate_keeps_the_power(features):
    gate = _gate(features)
    magnitude = 0.1 * features.window.square().sum().sqrt()
    tone = torch.polar(torch.full((1, 400, N_FFT // 2 + 1), magnitude.item()), torch.randn(1, 400, N_FFT // 2 + 1))
    with torch.no_grad():
        mixed = _mix(gate, tone, 0)
    ratio = mixed.abs().square().mean() / tone.abs().square().mean()
    assert ratio == pytest.approx(1.0, rel=0.03)


def test_a_spectrum_of_silence_stays_silent_and_has_finite_gradients(features):
    gate = _gate(features)
    mixed = _mix(gate, torch.zeros(1, 20, N_FFT // 2 + 1, dtype=torch.complex64), 0)
    assert torch.equal(mixed.detach(), torch.zeros_like(mixed))
    mixed.abs().square().sum().backward()
    assert all(torch.isfinite(parameter.grad).all() for parameter in gate.parameters())


def test_the_deterministic_part_is_that_of_a_model_without_noise(features):
    model, without = _build(features), _build(features, noise=False)
    missing = without.load_state_dict(model.state_dict(), strict=False)
    assert all(name.startswith("noise_gate.") for name in missing.unexpected_keys)
    latents = torch.randn(2, 12, 10)
    with torch.no_grad():
        assert torch.equal(model.decode(latents), without.decode(latents))
        noise = torch.randn(2, model.count_noise(10))
        assert torch.equal(without.decode(latents, noise), without.decode(latents))
        assert not torch.equal(model.decode(latents, noise), model.decode(latents))
        assert torch.equal(model.decode(latents, noise), model.decode(latents, noise))


def test_only_the_gate_learns_from_what_is_drawn(features):
    model = _build(features)
    heard = features.extract(_noise(DRAWN_SHARE + 1, 4096))
    model.fit([heard])
    result = model.train()(heard)
    assert result.draws.shape == (2, 2, result.output.shape[1])
    _objective().score_noise(result, heard).backward()
    with_gradient = {name for name, one in model.named_parameters() if one.grad is not None and one.grad.any()}
    assert with_gradient == {"noise_gate.to_share.weight", "noise_gate.to_share.bias"}


def test_without_noise_or_training_nothing_is_drawn(features):
    heard = features.extract(_noise(2, 4096))
    assert _build(features).eval()(heard).draws is None
    result = _build(features, noise=False).train()(heard)
    assert result.draws is None
    assert _objective().score_noise(result, heard) == 0.0


def test_what_is_drawn_is_as_loud_as_its_latents_say(features):
    """Without any training, whose gate says half."""
    sounds = torch.cat([_noise(3, 16384), _tones(3, 16384)]) * torch.tensor([1.0, 0.3, 0.1] * 2)[:, None]
    model = _build(features).eval()
    model.fit([features.extract(sounds)])
    with torch.no_grad():
        latents = model.encode(features.extract(sounds)).mean
        drawn = model.decode(latents, torch.randn(6, model.count_noise(latents.shape[2])))[:, : sounds.shape[1]]
    error_db = 10 * (drawn.square().mean(dim=1) / sounds.square().mean(dim=1)).log10()
    assert error_db.abs().max() < 0.3
    assert error_db.mean().abs() < 0.1


def _train(features, sounds, n_steps=120):
    """Share of the power that is noise, once the gate alone has learned."""
    model = _build(features, noise=True)
    heard = features.extract(sounds)
    model.fit([heard])
    model.eval().requires_grad_(False)
    model.noise_gate.requires_grad_(True)
    optimizer = torch.optim.Adam(model.noise_gate.parameters(), lr=0.02)
    objective = _objective()
    for _ in range(n_steps):
        result = model.train()(heard)
        optimizer.zero_grad()
        objective.score_noise(result, heard).backward()
        optimizer.step()
    with torch.no_grad():
        written = model.eval().write(model.encode(heard).mean)
        power = written.spectra.abs().square()
        share = model.noise_gate(written.features).sigmoid()
        return ((share * power).sum() / power.sum()).item()


def test_noise_is_found_to_be_noise(features):
    assert _train(features, _noise(2, 16384)) > 0.5


def test_a_tone_is_found_to_be_none(features):
    assert _train(features, _tones(2, 16384)) < 0.2


def test_bfloat16_draws_are_float32_and_finite(features):
    model = _build(features).train()
    heard = features.extract(_noise(2, 4096))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        result = model(heard)
    assert result.draws.dtype == torch.float32
    measure_batch(_objective(), result, heard)
    _objective().score_noise(result, heard).backward()
    assert all(torch.isfinite(parameter.grad).all() for parameter in model.noise_gate.parameters())
