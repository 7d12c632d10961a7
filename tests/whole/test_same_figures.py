"""Figures that do not depend on how a recording was levelled, laid out or cut."""

import json

import numpy as np
import pytest
import soundfile

from tests.conftest import RATE_HZ
from tests.verbs import TINY

pytestmark = pytest.mark.slow

MODEL = ("model=spectral_vae", "model.size=tiny", *TINY[1:5], "training.latent_dim=8", "training.chunk_duration_s=0.25")
QUICK = (
    *("tracking=none", "training.max_epochs=2", "preview.n_samples=1", "preview.n_variations=1"),
    "regularization.augmentation_expansion=3",
)


def _quieter(sound):
    return sound * 10 ** (-30 / 20)


def _in_stereo(sound):
    return np.stack([sound, sound], axis=1)


def _with_silence(sound):
    return np.concatenate([sound, np.zeros(RATE_HZ)])


def _train(command_line, make_textures, name, change):
    """Train on textures that were changed; what was found, and the level of a new sound."""
    root = make_textures(name, 8, duration_s=1.5)
    for path in root.iterdir():
        soundfile.write(path, change(soundfile.read(path)[0]), RATE_HZ, subtype="FLOAT")
    run_dir = command_line.folder / name
    command_line.run(
        "train", f"data.root={root}", f"hydra.run.dir={run_dir}", *MODEL, *QUICK, "evaluation.at_end=small",
        "evaluation.max_clips=40",
    )  # fmt: skip
    evaluation = json.loads((run_dir / "evaluation" / "evaluation.json").read_text())
    model = evaluation["reconstruction"]["held_out"]["model"]
    figures = {key: value for key, value in model.items() if not key.endswith("_interval")}
    first = next(event for event in command_line.events(run_dir, "StepMetrics"))
    figures["first_loss"] = first["train_loss"]
    figures["gap"] = 1.0 + json.loads((run_dir / "summary.json").read_text())["overfitting_gap"]
    figures["replay_rate"] = 1.0 + evaluation["memorisation"]["replay_rate"]
    new = command_line.folder / f"new_{name}"
    command_line.run("generate", f"run={run_dir}", "n=1", "duration_s=1", f"output={new}")
    return figures, float(np.sqrt(np.square(soundfile.read(new / "sound_001.wav")[0]).mean()))


CHANGES = {_quieter: (0.12, 10 ** (-30 / 20)), _in_stereo: (1e-6, 1.0), _with_silence: (0.02, 1.0)}
"""How far a figure may move, relative to itself, and how much louder new sounds are."""


def test_level_layout_and_silence_change_no_figure(command_line, make_textures):
    plain, plain_level = _train(command_line, make_textures, "plain", lambda sound: sound)
    first_loss = plain.pop("first_loss")
    for change, (tolerance, level) in CHANGES.items():
        name = change.__name__
        changed, changed_level = _train(command_line, make_textures, name, change)
        assert changed.pop("first_loss") == pytest.approx(first_loss, rel=1e-6), name
        assert changed == pytest.approx(plain, rel=tolerance), f"{name}: but for rounding, which training magnifies"
        assert changed_level == pytest.approx(level * plain_level, rel=0.3), (
            f"{name}: one draw, which rounding may turn; 30 dB it is"
        )
