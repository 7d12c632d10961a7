"""Nothing is won or lost by zeros behind a sound."""

import pytest
import torch

from sda.audio.mel import LogMel
from sda.losses.elbo import Elbo
from sda.losses.objective import average, measure_batch
from sda.losses.spectral import SpectralObjective
from sda.models.latents import Posterior, Reconstruction
from sda.models.standardise import Standardise

RATE_HZ = 16000
N_SOUND = 5000
N_CHUNK = 16000
FEATURES = LogMel(RATE_HZ, n_fft=512, hop_length=128, n_mels=32)
N_FRAMES = FEATURES.n_frames(N_SOUND)
ALL_DISTANCES = {"mel": 1.0, "convergence": 1.0, "log_magnitude": 1.0, "waveform": 1.0}


def _noise(*shape):
    return 0.1 * torch.randn(*shape, generator=torch.Generator().manual_seed(len(shape) + shape[-1]))


def _spectral():
    return SpectralObjective(sample_rate_hz=RATE_HZ, weights=ALL_DISTANCES, kl_weight=0.1, free_bits=0.0)


def _posterior(n_latents):
    mean = _noise(2, 8, 40)[:, :, :n_latents]
    return Posterior(mean, torch.zeros_like(mean))


def test_a_waveform_padded_with_zeros_has_the_loss_of_the_unpadded_one_whatever_is_put_behind_it():
    sound, rebuilt = _noise(2, N_SOUND), _noise(2, N_CHUNK)
    n_latents = -(-N_FRAMES // 4)
    short = Reconstruction(sound, rebuilt[:, :N_SOUND], _posterior(n_latents), 4)
    long = Reconstruction(sound, rebuilt, _posterior(-(-FEATURES.n_frames(N_CHUNK) // 4)), 4)
    padded = torch.nn.functional.pad(sound, (0, N_CHUNK - N_SOUND))
    heard = FEATURES.extract(padded, torch.tensor([[0, N_SOUND]] * 2))
    alone = measure_batch(_spectral(), short, FEATURES.extract(sound))
    together = measure_batch(_spectral(), long, heard)
    for expected, found in zip(alone, together, strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-7)
    assert _spectral().score(together).total() == pytest.approx(_spectral().score(alone).total().item(), abs=1e-6)


def test_a_spectrogram_padded_with_silence_has_the_loss_of_the_unpadded_one():
    elbo = Elbo(Standardise(32), 32 * N_FRAMES, free_bits=0.0, energy_weight=0.3)
    target, output = _noise(2, 32, N_FRAMES), _noise(2, 32, 200)
    heard = FEATURES.extract(_noise(2, N_CHUNK), torch.tensor([[0, N_SOUND]] * 2))
    n_behind = FEATURES.n_frames(N_CHUNK) - N_FRAMES
    posterior = Posterior(_noise(2, 8), _noise(2, 8))
    alone = elbo.measure_each(Reconstruction(target, output[..., :N_FRAMES], posterior), torch.zeros(0))
    padded = Reconstruction(
        torch.nn.functional.pad(target, (0, n_behind), value=-11.5), output[..., : N_FRAMES + n_behind], posterior
    )
    together = elbo.measure_each(padded, heard.waveform, heard.span)
    for expected, found in zip(alone, together, strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-7)


def test_a_second_of_sound_weighs_the_same_however_it_is_cut_into_chunks():
    waveforms = _noise(3, N_CHUNK)
    heard = FEATURES.extract(waveforms, torch.tensor([[0, N_CHUNK], [0, N_CHUNK // 4], [0, 127]]))
    assert heard.weight.tolist() == [126.0, 32.0, 1.0]
    result = Reconstruction(waveforms, 0.5 * waveforms, Posterior(_noise(3, 8), _noise(3, 8)))
    each = _spectral().measure_each(result, waveforms, heard.span)
    whole = average(each, heard.weight)
    expected = (126 * each.distances[0] + 32 * each.distances[1] + each.distances[2]) / 159
    torch.testing.assert_close(whole.distances, expected)
    torch.testing.assert_close(measure_batch(_spectral(), result, heard).distances, expected)


def test_what_lies_behind_the_sound_gets_no_gradient():
    sound = torch.nn.functional.pad(_noise(1, N_SOUND), (0, N_CHUNK - N_SOUND))
    output = _noise(1, N_CHUNK).clone().requires_grad_()
    heard = FEATURES.extract(sound, torch.tensor([[0, N_SOUND]]))
    result = Reconstruction(sound, output, Posterior(_noise(1, 8), _noise(1, 8)))
    _spectral().score(measure_batch(_spectral(), result, heard)).total().backward()
    assert (output.grad[:, N_SOUND:] == 0).all()
    assert (output.grad[:, :N_SOUND] != 0).float().mean() > 0.99
