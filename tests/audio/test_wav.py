"""WAV files that are written as sound is made."""

import io
import os
import tracemalloc

import numpy as np
import pytest
import soundfile

from sda.audio import wav
from sda.audio.wav import WavWriter, save_wav, write_header, write_wav

RATE_HZ = 8000


def _draw(n_samples, level=0.5):
    return (level * np.random.default_rng(n_samples).uniform(-1, 1, n_samples)).astype(np.float32)


def _encode_whole(waveform):
    """As libsndfile writes it in one piece."""
    encoded = io.BytesIO()
    peak = max(1.0, float(np.abs(waveform).max(initial=0.0)))
    soundfile.write(encoded, waveform / peak, RATE_HZ, subtype="PCM_16", format="WAV")
    return encoded.getvalue()


@pytest.mark.parametrize("level", [0.5, 1.0, 7.0])
@pytest.mark.parametrize("n_samples", [0, 1, 21, 1000, 25001])
def test_blocks_make_the_same_file_as_the_whole(tmp_path, monkeypatch, n_samples, level):
    monkeypatch.setattr(wav, "BLOCK_SAMPLES", 1000)
    waveform = _draw(n_samples, level)
    blocks = [waveform[:0], *np.array_split(waveform, 3)]
    assert write_wav(tmp_path / "blocks.wav", blocks, RATE_HZ) == n_samples
    save_wav(tmp_path / "whole.wav", waveform, RATE_HZ)
    for name in ("blocks.wav", "whole.wav"):
        assert (tmp_path / name).read_bytes() == _encode_whole(waveform)


def test_a_saved_wav_has_16_bits_and_never_clips(tmp_path):
    save_wav(tmp_path / "deep" / "loud.wav", np.array([2.0, -1.0], dtype=np.float32), RATE_HZ)
    read, rate = soundfile.read(tmp_path / "deep" / "loud.wav")
    assert (rate, soundfile.info(tmp_path / "deep" / "loud.wav").subtype) == (RATE_HZ, "PCM_16")
    np.testing.assert_allclose(read, [1.0, -0.5], atol=1e-4)


@pytest.mark.parametrize("comment", ["run one, seed 7", "été"])
def test_a_comment_is_read_by_others_and_the_sound_stays(tmp_path, comment):
    write_wav(tmp_path / "sound.wav", [_draw(501)], RATE_HZ, comment)
    save_wav(tmp_path / "plain.wav", _draw(501), RATE_HZ)
    with soundfile.SoundFile(tmp_path / "sound.wav") as file:
        assert (file.comment, file.software) == (comment, "sda")
    np.testing.assert_array_equal(*(soundfile.read(tmp_path / name)[0] for name in ("sound.wav", "plain.wav")))


def test_until_it_is_whole_it_has_no_name_and_what_was_there_stays(tmp_path):
    path = tmp_path / "sound.wav"
    path.write_bytes(b"of before")
    with WavWriter(path, RATE_HZ) as writer:
        writer.add(_draw(500))
        (draft,) = (one for one in tmp_path.iterdir() if one != path)
        assert draft.name.startswith("."), "hidden: no scan takes it for a sound"
        assert path.read_bytes() == b"of before"
        writer.keep()
        assert soundfile.info(path).frames == 500
    assert list(tmp_path.iterdir()) == [path]


def test_a_sound_that_fails_half_way_leaves_nothing(tmp_path):
    def fail():
        yield _draw(500)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_wav(tmp_path / "sound.wav", fail(), RATE_HZ)
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_is_full_is_the_systems_own_error(tmp_path):
    writer = WavWriter(tmp_path / "sound.wav", RATE_HZ)
    writer._file.close()
    writer._file = open("/dev/full", "wb+", buffering=0)
    with pytest.raises(OSError, match="No space left"), writer:
        writer.add(_draw(500))
    assert list(tmp_path.iterdir()) == []


def test_what_is_held_does_not_grow_with_the_sound(tmp_path):
    block = _draw(wav.BLOCK_SAMPLES)

    def measure(n_blocks):
        tracemalloc.start()
        write_wav(tmp_path / "sound.wav", (block for _ in range(n_blocks)), RATE_HZ)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak

    short, long = measure(2), measure(12)
    assert long < 1.1 * short
    assert long < 12 * block.nbytes


@pytest.mark.parametrize("n_samples", [2_147_483_629, 2_147_483_630, 3_000_000_000])
def test_a_wav_of_more_than_four_gigabytes_is_one_that_others_read(tmp_path, n_samples):
    path = tmp_path / "long.wav"
    header = write_header(n_samples, 48000)
    path.write_bytes(header)
    os.truncate(path, len(header) + 2 * n_samples)  # a hole: it takes no room
    info = soundfile.info(path)
    assert (info.frames, info.channels, info.samplerate, info.subtype) == (n_samples, 1, 48000, "PCM_16")
    assert info.format == ("WAV" if n_samples < 2_147_483_630 else "RF64")
