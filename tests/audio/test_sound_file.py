"""Sound files to give away."""

import math
import tracemalloc

import numpy as np
import pytest
import soundfile

from sda.audio import sound_file
from sda.audio.sound_file import FORMATS, read_comment, write_sound
from sda.audio.wav import BLOCK_SAMPLES
from sda.config.verbs import SoundFormat

RATE_HZ = 16000


def _tone(level=0.5, n_samples=RATE_HZ, rate_hz=RATE_HZ):
    return (level * np.sin(2 * math.pi * 440 * np.arange(n_samples) / rate_hz)).astype(np.float32)


def test_every_format_that_can_be_asked_for_is_one():
    assert {one.value for one in SoundFormat} == set(FORMATS)


@pytest.mark.parametrize(("name", "error"), [("wav16", 4e-5), ("wav24", 2e-7), ("wav32f", 0.0), ("flac", 2e-7)])
def test_what_is_written_is_read_by_others(tmp_path, name, error):
    form = FORMATS[name]
    path = tmp_path / "deep" / f"sound{form.suffix}"
    blocks = [_tone()[:1], _tone()[1:5000], _tone()[5000:]]
    assert write_sound(path, blocks, RATE_HZ, name, comment="seed 7") == RATE_HZ
    read, rate = soundfile.read(path, dtype="float32")
    info = soundfile.info(path)
    assert (rate, info.channels, info.format, info.subtype) == (RATE_HZ, 1, form.container, form.subtype)
    assert float(np.abs(read - _tone()).max()) <= error
    assert read_comment(path) == "seed 7"
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("name", ["wav16", "wav24", "flac"])
def test_louder_than_full_scale_is_turned_down_as_a_whole(tmp_path, name):
    write_sound(tmp_path / "loud", [_tone(3.0)], RATE_HZ, name)
    read, _ = soundfile.read(tmp_path / "loud")
    assert float(np.abs(read - _tone(1.0)).max()) < 1e-3


def test_floats_stay_as_loud_as_they_are(tmp_path):
    write_sound(tmp_path / "loud.wav", [_tone(3.0)], RATE_HZ, "wav32f")
    assert float(np.abs(soundfile.read(tmp_path / "loud.wav")[0]).max()) > 2.9


@pytest.mark.parametrize("rate_hz", [44100, 48000, 8000])
def test_a_tone_stays_a_tone_at_another_rate(tmp_path, rate_hz):
    n_samples = write_sound(tmp_path / "tone.wav", np.array_split(_tone(), 7), RATE_HZ, "wav32f", file_rate_hz=rate_hz)
    read, rate = soundfile.read(tmp_path / "tone.wav", dtype="float32")
    assert (rate, n_samples, len(read)) == (rate_hz, rate_hz, rate_hz)
    inside = slice(rate_hz // 10, -rate_hz // 10)
    assert float(np.abs(read - _tone(n_samples=rate_hz, rate_hz=rate_hz))[inside].max()) < 1e-3


def test_the_same_sound_gives_the_same_bytes(tmp_path):
    for name, form in FORMATS.items():
        paths = [tmp_path / f"{name}_{number}{form.suffix}" for number in (1, 2)]
        for path, n_blocks in zip(paths, (1, 9), strict=True):
            write_sound(path, np.array_split(_tone(), n_blocks), RATE_HZ, name, comment="seed 7")
        assert paths[0].read_bytes() == paths[1].read_bytes(), name


def test_a_sound_that_fails_half_way_leaves_nothing(tmp_path):
    def fail():
        yield _tone()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_sound(tmp_path / "sound.flac", fail(), RATE_HZ, "flac")
    assert list(tmp_path.iterdir()) == []


def test_what_libsndfile_cannot_write_is_an_error_of_the_system(tmp_path, monkeypatch):
    monkeypatch.setattr(sound_file, "MOST_RIFF_BYTES", 0)  # so that its container is another
    monkeypatch.setitem(FORMATS, "wav24", FORMATS["wav24"]._replace(subtype="VORBIS"))
    with pytest.raises(ValueError, match="Invalid combination"):
        write_sound(tmp_path / "sound.wav", [_tone()], RATE_HZ, "wav24")
    assert list(tmp_path.iterdir()) == []


def test_what_is_longer_than_a_wav_may_be_is_rf64(tmp_path, monkeypatch):
    monkeypatch.setattr(sound_file, "MOST_RIFF_BYTES", 4096 + 3 * RATE_HZ - 1)
    write_sound(tmp_path / "long.wav", [_tone()], RATE_HZ, "wav24", comment="seed 7")
    info = soundfile.info(tmp_path / "long.wav")
    assert (info.format, info.frames) == ("RF64", RATE_HZ)


def test_what_is_held_does_not_grow_with_the_sound(tmp_path):
    block = _tone(n_samples=BLOCK_SAMPLES)

    def measure(n_blocks):
        tracemalloc.start()
        write_sound(tmp_path / "sound.wav", (block for _ in range(n_blocks)), RATE_HZ, "wav24")
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak

    assert measure(8) < 1.1 * measure(2)
