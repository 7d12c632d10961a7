import numpy as np
import pytest
import soundfile

from sda.audio.io import get_metadata, load_audio
from sda.errors import DataError
from tests.conftest import tone


@pytest.mark.parametrize(
    ("suffix", "subtype", "tolerance"),
    [
        ("wav", "PCM_U8", 0.01),
        ("wav", "PCM_16", 1e-4),
        ("wav", "PCM_24", 1e-6),
        ("wav", "FLOAT", 0.0),
        ("aiff", "PCM_16", 1e-4),
        ("flac", "PCM_16", 1e-4),
        ("flac", "PCM_24", 1e-6),
    ],
)
def test_every_lossless_format_gives_the_same_samples(tmp_path, suffix, subtype, tolerance):
    original = tone(440, 0.5, 48000)
    path = tmp_path / f"sound.{suffix}"
    soundfile.write(path, original, 48000, subtype=subtype)
    loaded = load_audio(path, 48000)
    assert loaded.dtype == np.float32
    assert loaded.shape == original.shape
    np.testing.assert_allclose(loaded, original, atol=tolerance)


@pytest.mark.parametrize(("suffix", "format_"), [("ogg", "OGG"), ("mp3", "MP3")])
def test_lossy_formats_keep_the_tone(tmp_path, suffix, format_):
    path = tmp_path / f"sound.{suffix}"
    soundfile.write(path, 0.5 * np.sin(2 * np.pi * 1000 * np.arange(48000) / 48000), 48000, format=format_)
    loaded = load_audio(path, 48000)
    spectrum = np.abs(np.fft.rfft(loaded[:48000]))
    assert np.argmax(spectrum) == 1000  # one bin a hertz
    assert get_metadata(path).duration_s == pytest.approx(1.0, abs=0.06)


def test_channels_are_averaged(tmp_path):
    sound = tone(440, 0.1, 48000)
    stereo = np.stack([sound, -0.2 * sound], axis=1)
    soundfile.write(tmp_path / "a.wav", stereo, 48000, subtype="FLOAT")
    np.testing.assert_allclose(load_audio(tmp_path / "a.wav", 48000), 0.4 * sound, atol=1e-6)


def test_what_cannot_be_decoded_is_named(tmp_path):
    (tmp_path / "fake.wav").write_text("no sound at all")
    with pytest.raises(DataError, match=r"fake\.wav.*Convert it to WAV"):
        get_metadata(tmp_path / "fake.wav")
    with pytest.raises(DataError, match=r"missing\.wav"):
        load_audio(tmp_path / "missing.wav")


def test_samples_that_are_not_finite_are_refused(tmp_path):
    soundfile.write(tmp_path / "nan.wav", np.array([0.0, np.nan, 0.1]), 48000, subtype="FLOAT")
    with pytest.raises(DataError, match="NaN or infinite"):
        load_audio(tmp_path / "nan.wav")
