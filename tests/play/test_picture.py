"""Spectrograms and pieces for the player."""

import io

import numpy as np
import pytest
import soundfile
from PIL import Image

from sda.audio.sound_file import write_sound
from sda.audio.wav import save_wav
from sda.errors import DataError
from sda.play.picture import N_COLUMNS, N_ROWS, cut_wav, draw_picture, read_in_pieces
from tests.conftest import RATE_HZ, tone


def test_a_tone_is_bright_where_and_while_it_sounds(tmp_path):
    silence = np.zeros(RATE_HZ, np.float32)
    steady = np.sin(2 * np.pi * 4000 * np.arange(RATE_HZ) / RATE_HZ).astype(np.float32)
    save_wav(tmp_path / "a.wav", np.concatenate([silence, 0.5 * steady]), RATE_HZ)
    picture = (
        np.asarray(Image.open(io.BytesIO(draw_picture(tmp_path / "a.wav"))).convert("RGB")).astype(int).sum(axis=2)
    )
    assert picture.shape == (N_ROWS, N_COLUMNS)
    assert picture[:, : N_COLUMNS // 2 - 20].max() < 20
    heard = picture[:, N_COLUMNS // 2 + 20 :]
    row = int(heard.mean(axis=1).argmax())
    octaves = np.log2(8000 / 40)
    assert row == pytest.approx(N_ROWS / octaves, abs=3), "an octave below the highest frequency"


@pytest.mark.parametrize("name", ["wav24", "wav32f", "flac"])
def test_a_picture_is_of_the_sound_and_not_of_the_format(tmp_path, name):
    sound = tone(440, 1.0, RATE_HZ)
    for file, form in (("plain", "wav16"), ("other", name)):
        write_sound(tmp_path / file, [sound], RATE_HZ, form, comment="words behind the sound")
    plain, other = (np.asarray(Image.open(io.BytesIO(draw_picture(tmp_path / file))).convert("RGB")).astype(int)
                    for file in ("plain", "other"))  # fmt: skip
    assert np.abs(plain - other).mean() < 5


@pytest.mark.parametrize("content", [b"", b"words", b"RIFF" + bytes(100), b"RIFF" + b"\xff" * 40])
def test_what_is_no_sound_has_no_picture(tmp_path, content):
    (tmp_path / "a.wav").write_bytes(content)
    with pytest.raises(DataError, match=r"a\.wav (is no sound file|holds no sound)"):
        draw_picture(tmp_path / "a.wav")


def test_a_piece_is_cut_out_at_the_rate_of_the_run(tmp_path):
    sound = tone(440, 2.0, 48000)
    soundfile.write(tmp_path / "a.flac", sound, 48000)
    piece, rate_hz = soundfile.read(io.BytesIO(cut_wav(tmp_path / "a.flac", RATE_HZ, 1.0, 0.5)))
    assert (len(piece), rate_hz) == (RATE_HZ // 2, RATE_HZ)
    assert np.abs(piece - tone(440, 2.0)[RATE_HZ : RATE_HZ * 3 // 2]).max() < 2e-3
    assert len(soundfile.read(io.BytesIO(cut_wav(tmp_path / "a.flac", RATE_HZ, 1.75, 60)))[0]) == RATE_HZ // 4
    with pytest.raises(DataError, match=r"a\.flac ends before 3 s"):
        cut_wav(tmp_path / "a.flac", RATE_HZ, 3.0, 1.0)


def test_a_file_is_read_in_pieces(tmp_path):
    content = bytes(range(256)) * 1000
    (tmp_path / "a.wav").write_bytes(content)
    assert b"".join(read_in_pieces(tmp_path / "a.wav")) == content
