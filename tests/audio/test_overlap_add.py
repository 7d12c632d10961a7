import math

import pytest
import torch

from sda.audio.overlap_add import inverse_stft, overlap_add


@pytest.mark.parametrize("n_overlapping", [2, 4])
def test_frames_of_a_waveform_give_it_back(n_overlapping):
    torch.manual_seed(0)
    n_fft, n_samples = 256, 3000
    hop = n_fft // n_overlapping
    window = torch.hann_window(n_fft)
    sound = torch.randn(2, n_samples)
    spectra = torch.stft(sound, n_fft, hop, window=window, return_complex=True).transpose(1, 2)
    torch.testing.assert_close(inverse_stft(spectra, window, hop, n_samples), sound, atol=1e-4, rtol=0)


def test_phases_that_turn_by_their_frequency_make_a_steady_tone():
    n_fft, hop, n_frames, bin_of_tone = 256, 64, 40, 16
    window = torch.hann_window(n_fft)
    spectra = torch.zeros(1, n_frames, n_fft // 2 + 1, dtype=torch.complex64)
    turned = 2 * math.pi * bin_of_tone * hop / n_fft * torch.arange(n_frames)
    spectra[0, :, bin_of_tone] = torch.polar(torch.full((n_frames,), 64.0), turned)
    tone = inverse_stft(spectra, window, hop, n_frames * hop)[0, n_fft:-n_fft]
    levels = tone.unfold(0, 64, 64).square().mean(dim=1).sqrt()
    torch.testing.assert_close(levels, levels.mean().expand_as(levels), atol=0, rtol=1e-3)
    assert torch.fft.rfft(tone[:1024]).abs().argmax() == bin_of_tone * 1024 // n_fft


def test_samples_that_no_frame_covers_are_silent():
    window = torch.hann_window(64)
    spectra = torch.ones(1, 2, 33, dtype=torch.complex64)
    sound = inverse_stft(spectra, window, 16, 500)
    assert sound.shape == (1, 500)
    assert (sound[0, 16 + 32 :] == 0).all()


def test_gradients_are_those_of_a_linear_map():
    frames = torch.randn(1, 5, 8, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda values: overlap_add(values, 2), (frames,))
