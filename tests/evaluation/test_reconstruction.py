import math

import pytest
import torch

from sda.audio.mel import LogMel
from sda.evaluation.reconstruction import (
    list_measures,
    log_spectral_distance_db,
    measure_reconstruction,
    mr_stft_distance,
    spectral_convergence,
    zimtohrli_distance,
)

RATE_HZ = 48000


@pytest.fixture(scope="module")
def features():
    return LogMel(RATE_HZ, n_fft=2048, hop_length=512, n_mels=64)


@pytest.fixture(scope="module")
def noise():
    """No cell of it is at the floor of any measure."""
    return 0.3 * torch.randn(2, 24000, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def tones():
    time_s = torch.arange(24000) / RATE_HZ
    return torch.stack(
        [0.3 * torch.sin(2 * math.pi * hz * time_s) * torch.exp(-3 * time_s) for hz in (300.0, 700.0, 1900.0)]
    )


def test_the_same_sound_scores_nothing_in_every_measure(tones, features):
    scores = measure_reconstruction(tones, tones, features)
    assert set(scores) == set(list_measures(features))
    for name, values in scores.items():
        assert values.tolist() == pytest.approx([0.0] * 3, abs=1e-6), name


def test_half_the_level_is_six_decibel_where_level_counts(noise, features):
    scores = measure_reconstruction(noise, noise / 2, features)
    for name in ("loudness_error_db", "log_mel_l1_db", "lsd_0_4k_db", "lsd_4_12k_db", "lsd_12_24k_db"):
        assert scores[name].tolist() == pytest.approx([6.02] * 2, abs=0.02), name
    assert scores["multi_scale_mel_l1_db"].tolist() == pytest.approx([6.02] * 2, abs=0.05)
    # Half is missing, and the logarithm differs by ln 2.
    assert scores["mr_stft"].tolist() == pytest.approx([0.5 + math.log(2)] * 2, abs=0.01)
    assert scores["zimtohrli"].max() < 1e-3, "a listener hears the same sound"


@pytest.mark.parametrize(
    ("low_hz", "high_hz", "name"), [(0, 4000, "0_4k"), (4000, 12000, "4_12k"), (12000, 24000, "12_24k")]
)
def test_what_is_wrong_in_a_band_shows_in_that_band(noise, features, low_hz, high_hz, name):
    spectrum = torch.fft.rfft(noise)
    hz = torch.fft.rfftfreq(noise.shape[1], 1 / RATE_HZ)
    changed = torch.fft.irfft(torch.where((hz >= low_hz) & (hz < high_hz), spectrum / 10, spectrum), noise.shape[1])
    scores = measure_reconstruction(noise, changed, features)
    for other in ("0_4k", "4_12k", "12_24k"):
        value = scores[f"lsd_{other}_db"].mean().item()
        assert value == pytest.approx(20.0, abs=0.8) if other == name else value < 1.5


def test_another_pitch_is_heard_by_the_spectrum_and_not_by_the_level(tones, features):
    scores = measure_reconstruction(tones, tones.roll(1, dims=0), features)
    assert scores["loudness_error_db"].max() < 0.1
    assert scores["log_mel_l1_db"].min() > 5
    assert scores["mr_stft"].min() > 1
    assert scores["zimtohrli"].min() > 0.003


def test_silence_is_a_finite_disaster(tones, features):
    scores = measure_reconstruction(tones, torch.zeros_like(tones), features)
    assert all(values.isfinite().all() for values in scores.values())
    assert scores["loudness_error_db"].min() > 40
    assert scores["mr_stft"].min() > 1


def test_a_measure_of_one_clip_does_not_depend_on_the_others(noise, tones, features):
    together = measure_reconstruction(torch.cat([noise, tones]), torch.cat([tones[:2], noise[:1], tones[:2]]), features)
    alone = measure_reconstruction(noise[:1], tones[:1], features)
    for name, values in alone.items():
        assert values.item() == pytest.approx(together[name][0].item(), rel=1e-4), name


def test_at_a_low_rate_the_upper_bands_are_left_out():
    names = set(list_measures(LogMel(16000, n_fft=1024, hop_length=256, n_mels=32)))
    assert {"lsd_0_4k_db", "lsd_4_12k_db"} <= names
    assert "lsd_12_24k_db" not in names
    with pytest.raises(ValueError, match="no place below"):
        log_spectral_distance_db(torch.zeros(1, 8000), torch.zeros(1, 8000), 16000, (12000.0, 24000.0))


def test_empty_bands_flatter_nobody(noise, features):
    """The same sounds and the same mistakes score alike at a rate that leaves most of the spectrum empty."""
    spectrum = torch.fft.rfft(noise)
    hz = torch.fft.rfftfreq(noise.shape[1], 1 / RATE_HZ)
    narrow = torch.fft.irfft(torch.where(hz < 4000, spectrum, 0.0 * spectrum), noise.shape[1])
    full = measure_reconstruction(noise, 0.5 * noise, features)
    blind = measure_reconstruction(narrow, 0.5 * narrow, features)
    seeing = measure_reconstruction(narrow, 0.5 * narrow, features, edge_hz=4000.0)
    for name in ("log_mel_l1_db", "multi_scale_mel_l1_db", "mr_stft"):
        assert seeing[name].tolist() == pytest.approx(full[name].tolist(), rel=0.06), name
        assert blind[name].mean() < 0.8 * full[name].mean(), name
    assert set(full) - set(seeing) == {"lsd_4_12k_db", "lsd_12_24k_db"}
    hiss = narrow + 0.1 * (noise - narrow)
    heard = measure_reconstruction(narrow, hiss, features, edge_hz=4000.0)
    assert heard["spectral_convergence"].min() > 0.1, "what is put there is heard"


def test_zimtohrli_hears_the_same_at_another_rate(tones):
    at_48k = zimtohrli_distance(tones[:1], tones[1:2], 48000)
    assert zimtohrli_distance(tones[:1, ::2], tones[1:2, ::2], 24000).item() == pytest.approx(at_48k.item(), rel=0.1)


@pytest.mark.parametrize(("a", "b"), [((2, 8000), (3, 8000)), ((0, 8000), (0, 8000)), ((8000,), (8000,))])
def test_what_cannot_be_compared_is_refused(features, a, b):
    with pytest.raises(ValueError, match="one shape"):
        measure_reconstruction(torch.zeros(a), torch.zeros(b), features)


def test_padding_is_cut_off_before_anything_is_measured(tones, features):
    rebuilt, short = 0.7 * tones.roll(1, dims=0), 9000
    alone = measure_reconstruction(tones[:, :short], rebuilt[:, :short], features)
    padded = torch.where(torch.arange(tones.shape[1]) < short, tones, 0.0)
    together = measure_reconstruction(padded, rebuilt, features, torch.tensor([[0, short]] * 3))
    for name, values in alone.items():
        torch.testing.assert_close(together[name], values, rtol=1e-6, atol=1e-6)


def test_clips_of_unlike_lengths_keep_their_places(tones, features):
    samples = torch.tensor([[0, 24000], [100, 9000], [0, 24000]])
    together = measure_reconstruction(tones, tones.roll(1, dims=0), features, samples)
    alone = measure_reconstruction(tones[1:2, 100:9000], tones[:1, 100:9000], features)
    for name, values in alone.items():
        assert together[name][1].item() == pytest.approx(values.item(), rel=1e-4), name


@pytest.mark.parametrize("n_samples", [1, 100, 960])
def test_sounds_shorter_than_a_frame_are_measured(noise, features, n_samples):
    scores = measure_reconstruction(noise[:, :n_samples], noise[:, :n_samples] / 2, features)
    assert all(values.isfinite().all() for values in scores.values())
    assert scores["loudness_error_db"].tolist() == pytest.approx([6.02] * 2, abs=0.02)


@pytest.mark.parametrize("level", [0.0, 1e-7, 1e-5, 1e-3, 1.0])
def test_mr_stft_is_bounded_near_silence_and_the_same_in_both_directions(noise, level):
    for pair in ((level * noise, noise), (noise, level * noise)):
        assert spectral_convergence(*pair).max() <= 2**0.5
        assert mr_stft_distance(*pair).max() <= 2**0.5 + math.log(1e4) + 1e-3
    there, back = mr_stft_distance(level * noise, noise), mr_stft_distance(noise, level * noise)
    torch.testing.assert_close(there, back, rtol=1e-4, atol=1e-4)


def test_mr_stft_does_not_depend_on_how_loud_a_recording_is(tones):
    loud = mr_stft_distance(tones, tones.roll(1, dims=0))
    quiet = mr_stft_distance(1e-3 * tones, 1e-3 * tones.roll(1, dims=0))
    torch.testing.assert_close(quiet, loud, rtol=1e-3, atol=1e-4)
