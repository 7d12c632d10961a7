"""Hits, ticks and stems, without a key being set for them."""

import json

import numpy as np
import pytest
import soundfile

from tests.conftest import RATE_HZ, TEXTURE_NAMES
from tests.verbs import TINY

pytestmark = pytest.mark.slow

QUICK = ("tracking=none", "training.max_epochs=1", "preview.n_reconstructions=2", "preview.n_variations=1")


@pytest.fixture
def hits(tmp_path):
    """Eight different sounds of 20 to 60 ms."""
    root = tmp_path / "hits"
    root.mkdir()
    for number, length_s in enumerate(np.linspace(0.02, 0.06, 8)):
        rng = np.random.default_rng(number)
        time_s = np.arange(round(length_s * RATE_HZ)) / RATE_HZ
        tone = np.sin(2 * np.pi * rng.uniform(200, 4000) * time_s)
        sound = 0.3 * np.exp(-30 * time_s) * (tone + rng.standard_normal(len(time_s)))
        soundfile.write(root / f"{TEXTURE_NAMES[number]}.wav", sound, RATE_HZ, subtype="FLOAT")
    return root


@pytest.mark.parametrize("model", ["mel_vae", "spectral_vae"])
def test_hits_of_20_ms_and_more_are_trained_on_judged_and_played(command_line, hits, model):
    text = command_line.run(
        "train", f"data.root={hits}", *TINY[1:], *QUICK, f"model={model}", "evaluation.at_end=small"
    )
    assert "chunk_duration_s lowered from 0.25 to 0.1 s: the longest sound has 0.06 s" in text
    (run_dir,) = command_line.runs()
    history = json.loads((run_dir / "history.json").read_text())
    assert all(
        np.isfinite(values).all() for values in history["epoch_metrics"].values() if isinstance(values[0], float)
    )
    evaluation = json.loads((run_dir / "evaluation" / "evaluation.json").read_text())
    assert evaluation["reconstruction"]["n_clips"]["held_out"] >= 2
    assert evaluation["memorisation"]["window_s"] == 0.05
    command_line.run("generate", f"run={run_dir}", "n=2", "duration_s=0.02", f"output={command_line.folder / 'new'}")
    for path in sorted((command_line.folder / "new").glob("*.wav")):
        assert soundfile.info(path).frames == round(0.02 * RATE_HZ)
    old = command_line.folder / "old"
    command_line.run(
        "generate",
        f"run={run_dir}",
        "mode=reconstruct",
        f"source={hits}",
        "n=8",
        f"output={old}",
    )
    lengths = [soundfile.info(path).frames for path in sorted(old.glob("*.wav"))]
    assert lengths == [soundfile.info(path).frames for path in sorted(hits.iterdir())]


def test_stems_are_said_to_be_mostly_silence_and_judged_by_their_sound(command_line, hits):
    for path in hits.iterdir():
        sound = soundfile.read(path)[0]
        stem = np.concatenate([np.zeros(RATE_HZ), np.tile(sound, 6), np.zeros(4 * RATE_HZ)])
        soundfile.write(path, stem, RATE_HZ, subtype="FLOAT")
    text = command_line.run("train", f"data.root={hits}", *TINY, *QUICK)
    assert "% of this is silence (45 dB below" in text
    (run_dir,) = command_line.runs()
    history = json.loads((run_dir / "history.json").read_text())["epoch_metrics"]
    assert history["kl_divergence"][-1] < 1000
    assert abs(history["overfitting_gap"][-1]) < 3
