"""Spectrograms to look at: side by side, on one scale of level."""

import numpy as np
import torch
from PIL import Image

from sda.generation.picture import draw_spectrograms


def _look_at(path):
    """Brightness of the pixels, `[height, width]`, 0 to 255."""
    return np.asarray(Image.open(path).convert("L"), dtype=float)


def test_every_sound_has_a_panel_of_its_own(features, sound, tmp_path):
    waveform = sound[:4000].numpy()
    for n_panels in (1, 2, 3):
        draw_spectrograms(tmp_path / "new" / f"{n_panels}.png", [("a title", waveform)] * n_panels, features)
    widths = [_look_at(tmp_path / "new" / f"{n_panels}.png").shape[1] for n_panels in (1, 2, 3)]
    assert widths[0] < widths[1] < widths[2]
    assert widths[2] - widths[1] == widths[1] - widths[0]


def test_what_is_quieter_than_the_loudest_is_darker(features, sound, tmp_path):
    loud = sound[:4000].numpy()
    draw_spectrograms(tmp_path / "a.png", [("loud", loud), ("quiet", 0.01 * loud)], features)
    draw_spectrograms(tmp_path / "b.png", [("loud", loud), ("loud", loud)], features)
    unlike, alike = _look_at(tmp_path / "a.png"), _look_at(tmp_path / "b.png")
    middle = unlike.shape[0] // 2
    left, right = (slice(width, width + 100) for width in (150, 550))
    assert unlike[middle, right].mean() < unlike[middle, left].mean() - 40
    assert abs(alike[middle, right].mean() - alike[middle, left].mean()) < 10


def test_silence_is_drawn_too(features, tmp_path):
    draw_spectrograms(tmp_path / "silence.png", [("nothing", torch.zeros(4000).numpy())], features)
    assert _look_at(tmp_path / "silence.png").std() > 0
