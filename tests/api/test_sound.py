import base64
import re
from io import BytesIO

import numpy as np
import pytest
import soundfile
import torch

from sda.api.sound import Sound
from sda.audio.sound_file import read_comment
from sda.errors import ConfigError
from tests.conftest import RATE_HZ, tone


def test_it_stands_for_its_samples():
    sound = Sound(tone(440, 0.1), RATE_HZ)
    np.testing.assert_array_equal(2 * np.asarray(sound), 2 * sound.waveform)
    assert np.asarray(sound) is sound.waveform
    assert np.asarray(sound, dtype=np.float64).dtype == np.float64
    assert np.array(sound, copy=True) is not sound.waveform
    assert torch.equal(torch.from_numpy(np.asarray(sound)), torch.from_numpy(sound.waveform))
    assert len(sound) == round(sound.duration_s * RATE_HZ)


def test_it_is_kept_as_a_file(tmp_path):
    sound = Sound(3 * tone(440, 0.1), RATE_HZ)
    path = sound.save(tmp_path / "new" / "tone.WAV")
    samples, rate_hz = soundfile.read(path, dtype="float32")
    assert rate_hz == RATE_HZ
    np.testing.assert_allclose(samples, sound.waveform / np.abs(sound.waveform).max(), atol=1e-4)
    for name, settings, words in (
        ("tone.xyz", {}, r"tone\.xyz: sounds are written as wav16 \(\.wav\)"),
        ("tone.flac", {"file_format": "wav16"}, r"tone\.flac, file_format=wav16: sounds are written as"),
        ("tone.wav", {"sample_rate_hz": 4}, "sample_rate_hz=4 is not allowed: give 8000 to 192000"),
    ):
        with pytest.raises(ConfigError, match=words):
            sound.save(tmp_path / name, **settings)
    assert [one.name for one in tmp_path.iterdir()] == ["new"]


def test_it_is_kept_in_other_formats_with_words_of_where_it_is_from(tmp_path):
    sound = Sound(3 * tone(440, 0.1), RATE_HZ, origin="epoch 1")
    floats = sound.save(tmp_path / "tone.wav", file_format="wav32f")
    np.testing.assert_array_equal(soundfile.read(floats, dtype="float32")[0], sound.waveform)
    small = sound.save(tmp_path / "tone.flac", sample_rate_hz=8000)
    assert (soundfile.info(small).samplerate, soundfile.info(small).subtype) == (8000, "PCM_24")
    assert read_comment(floats) == read_comment(small) == "epoch 1"


def test_a_notebook_has_a_player_with_its_sources():
    made_of = {"shares": {"<rain>.wav": 0.9, "fire.wav": 0.095, "sea.wav": 0.005}, "stretches": []}
    page = Sound(tone(440, 0.1), RATE_HZ, seed=7, provenance=made_of)._repr_html_()
    assert "seed 7): &lt;rain&gt;.wav 90 %, fire.wav 10 %<" in page
    encoded = re.search(r'src="data:audio/wav;base64,([^"]+)"', page)[1]
    samples, rate_hz = soundfile.read(BytesIO(base64.b64decode(encoded)))
    assert (len(samples), rate_hz) == (round(0.1 * RATE_HZ), RATE_HZ)
