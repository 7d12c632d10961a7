"""The test of the tests, in small: what is known of a sound must come out of its evaluation."""

import numpy as np
import pytest
import soundfile
import torch

from experiments.selftest import memoriser, sound
from sda.evaluation.sounds import Sound
from tests.conftest import RATE_HZ

pytestmark = pytest.mark.slow

SMALL = (
    f"audio.sample_rate_hz={RATE_HZ}",
    "audio.n_fft=1024",
    "audio.hop_length=256",
    "audio.n_mels=64",
    "training.latent_dim=16",
    "training.batch_size=10",
    "preview.n_samples=1",
)


def test_baselines_come_out_as_they_must(make_textures):
    paths = sorted(make_textures("textures", 21).iterdir())
    sounds = [Sound(path.name, torch.from_numpy(soundfile.read(path, dtype="float32")[0])) for path in paths]
    rows = sound.judge_baselines(sound.Parts(RATE_HZ, sounds[::3], sounds[1::3], sounds[2::3]))
    failed = [words for words, holds in sound.list_expectations(rows) if not holds]
    assert not failed, "\n".join(sound.print_rows(rows))
    assert len(sound.print_rows(rows)) == 2 + 6


def test_a_model_made_to_memorise_is_caught_and_the_same_model_early_is_not(
    make_textures, tmp_path, monkeypatch, command_line
):
    monkeypatch.setattr(memoriser, "run_verb", command_line.run)
    monkeypatch.setattr(memoriser, "LATE_EPOCHS", 250)
    ten = make_textures("ten", 10, duration_s=2.0)
    early, late = memoriser.train_and_judge(ten, tmp_path, SMALL, ("n_generated=16", "max_clips=2"))
    assert (early.epoch, late.epoch) == (memoriser.EARLY_EPOCHS, 250)
    failed = [words for words, holds in memoriser.list_expectations(early, late) if not holds]
    assert not failed, "\n".join(memoriser.print_rows([early, late]))
    curve = memoriser.list_roc(early, late)
    rates = np.array([[point["false_positive_rate"], point["true_positive_rate"]] for point in curve])
    assert (np.diff(rates, axis=0) >= 0).all()
    assert rates[-1].tolist() == [1.0, 1.0]
    area = np.trapezoid([0.0, *rates[:, 1]], [0.0, *rates[:, 0]])
    assert area == pytest.approx(memoriser.find_separation(early, late), abs=1e-3)  # the rates are rounded
