import math

import pytest
import torch

from sda.audio.mel import LogMel
from sda.evaluation.reconstruction import score_held_out, score_reconstruction
from sda.models.mel_vae import MelVAE

RATE_HZ = 16000


@pytest.fixture(scope="module")
def features():
    return LogMel(RATE_HZ, n_fft=1024, hop_length=256, n_mels=32)


@pytest.fixture(scope="module")
def clips():
    time_s = torch.arange(8000) / RATE_HZ
    tones = [0.3 * torch.sin(2 * math.pi * hz * time_s) * torch.exp(-3 * time_s) for hz in (300.0, 700.0, 1900.0)]
    return torch.stack(tones)


def test_the_same_sound_scores_nothing(clips, features):
    scores = score_reconstruction(clips, clips, features)
    assert (scores.log_mel_l1_db, scores.mr_stft, scores.loudness_error_db) == (0.0, 0.0, 0.0)
    assert scores.n_clips == 3


def test_half_the_level_is_six_decibel_everywhere(clips, features):
    noise = 0.3 * torch.randn(clips.shape, generator=torch.Generator().manual_seed(0))  # no cell is at the floor
    scores = score_reconstruction(noise, noise / 2, features)
    assert scores.loudness_error_db == pytest.approx(6.02, abs=0.01)
    assert scores.log_mel_l1_db == pytest.approx(6.02, abs=0.01)
    assert scores.mr_stft == pytest.approx(
        0.5 + math.log(2), abs=0.01
    )  # half is missing; the logarithm differs by ln 2


def test_another_pitch_is_heard_by_the_spectrum_and_not_by_the_level(clips, features):
    scores = score_reconstruction(clips, clips.roll(1, dims=0), features)
    assert scores.loudness_error_db < 0.1
    assert scores.log_mel_l1_db > 10
    assert scores.mr_stft > 1


def test_silence_is_a_finite_disaster(clips, features):
    scores = score_reconstruction(clips, torch.zeros_like(clips), features)
    assert scores.loudness_error_db > 40
    assert math.isfinite(scores.mr_stft)
    assert scores.mr_stft > 1


def test_baseline_and_ceiling_enclose_what_a_model_can_do(clips):
    torch.manual_seed(0)
    features = LogMel(RATE_HZ, n_fft=1024, hop_length=256, n_mels=128)
    model = MelVAE(128, features.n_frames(8000), 8)
    log_mel = features(clips)
    model.standardise.fit(log_mel.mean(dim=(0, 2)), log_mel.std(dim=(0, 2)))
    scores = score_held_out(model, features, clips)
    assert set(scores) == {"model", "mean_mel", "ceiling"}
    assert scores["ceiling"].log_mel_l1_db < 0.25 * scores["mean_mel"].log_mel_l1_db
    assert scores["ceiling"].loudness_error_db < 1.0


@pytest.mark.parametrize(("a", "b"), [((2, 8000), (3, 8000)), ((0, 8000), (0, 8000)), ((8000,), (8000,))])
def test_what_cannot_be_compared_is_refused(features, a, b):
    with pytest.raises(ValueError, match="one shape"):
        score_reconstruction(torch.zeros(a), torch.zeros(b), features)
