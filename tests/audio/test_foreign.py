"""Content that is not read is named by what it is, with what to do."""

import struct

import pytest

from sda.audio.io import load_audio
from sda.errors import DataError
from tests.audio.files import ID3V2, judge, riff


def _adts(n_frames: int = 20) -> bytes:
    frame = bytes.fromhex("fff15080") + bytes([0x20, 0x1F, 0xFC]) + bytes(range(249))  # 256 bytes
    return frame * n_frames


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (_adts(), "AAC (ADTS)"),
        (ID3V2 + _adts(), "AAC (ADTS)"),
        (struct.pack(">I", 32) + b"ftypM4A \0\0\0\0" + bytes(4000), "AAC or ALAC in MP4 (M4A)"),
        (bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c") + bytes(4000), "WMA (ASF)"),
        (bytes.fromhex("1a45dfa3") + bytes(4000), "Matroska or WebM"),
        (b"caff\0\1\0\0" + bytes(4000), "CAF (Apple)"),
        (b"wvpk" + bytes(4000), "WavPack"),
        (riff((b"fmt ", struct.pack("<HHIIHH", 0xFF, 1, 44100, 16000, 1, 0)), (b"data", bytes(999))), "AAC in a WAV"),
        (
            riff((b"fmt ", struct.pack("<HHIIHH", 1, 2, 44100, 176400, 4, 16)), (b"data", b"\xfe\x7f\1\x80" * 999)),
            "DTS in a WAV",
        ),
    ],
)
@pytest.mark.parametrize("suffix", [".mp3", ".wav", ".flac", ".ogg"])
def test_content_under_a_wrong_name_is_named_with_how_to_convert_it(tmp_path, data, words, suffix):
    reason = judge(tmp_path / f"a{suffix}", data)
    assert reason == f"unreadable: its content is {words}, not a supported format; convert it: ffmpeg -i FILE NEW.wav"
    with pytest.raises(DataError, match=r"ffmpeg -i FILE NEW\.wav"):
        load_audio(tmp_path / f"a{suffix}")


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"Once upon a time. " * 99, "text"),
        (b"\x89PNG\r\n\x1a\n" + bytes(999), "a picture"),
        (b"%PDF-1.7" + bytes(99), "a PDF"),
    ],
)
@pytest.mark.parametrize("suffix", [".mp3", ".wav"])
def test_what_is_no_sound_at_all_is_named(tmp_path, data, words, suffix):
    assert judge(tmp_path / f"a{suffix}", data).startswith(f"unreadable: its content is {words}")
