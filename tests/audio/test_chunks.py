"""Where the sound of WAV, RF64, W64 and AIFF ends, whatever their headers say and whatever lies behind it."""

import struct

import numpy as np
import pytest

from sda.audio.io import get_metadata, read_blocks
from tests.audio.files import APE, ID3V1, ID3V2, LYRICS, SIZES, decode, encode, judge, set_size
from tests.conftest import RATE_HZ


@pytest.mark.parametrize("size", [36, 44])
def test_the_size_of_the_file_in_place_of_the_sounds_is_no_loss(tmp_path, size):
    data = encode("WAV")
    assert judge(tmp_path / "a.wav", set_size(data, "WAV", len(data) - 44 + size)) == ""


@pytest.mark.parametrize("container", SIZES)
@pytest.mark.parametrize("behind", [b"", ID3V1, APE + ID3V1, LYRICS])
@pytest.mark.parametrize("size", [0, 0xFFFFFFFF])
def test_a_size_that_was_never_written_is_found(tmp_path, container, size, behind):
    """As a recorder that was killed leaves it, or a program that writes to a pipe."""
    data = encode(container)
    size = size if container in ("WAV", "AIFF") or not size else 2**64 - 1
    expected = decode(tmp_path / "a", data)
    assert np.array_equal(decode(tmp_path / "b", set_size(data, container, size) + behind), expected)
    assert judge(tmp_path / "b.wav", set_size(data, container, size) + behind) == ""


@pytest.mark.parametrize(
    ("container", "subtype"),
    [*(("WAV", name) for name in ("FLOAT", "PCM_24", "PCM_U8", "ULAW")), ("AIFF", "FLOAT"), ("W64", "PCM_24")],
)
@pytest.mark.parametrize("said_bytes", [24, 24 * 500])
def test_every_encoding_goes_on_behind_a_header_that_is_out_of_date(tmp_path, container, subtype, said_bytes):
    data = encode(container, subtype, n_channels=2)
    assert np.array_equal(decode(tmp_path / "b", set_size(data, container, said_bytes)), decode(tmp_path / "a", data))


def test_the_long_size_of_an_rf64_counts_where_the_short_one_is_missing(tmp_path):
    data = encode("RF64")
    at = data.index(b"data") + 4
    chunk = b"note" + struct.pack("<I", 6000) + bytes(range(250)) * 24
    for short in (0, 0xFFFFFFFF):
        changed = data[:at] + struct.pack("<I", short) + data[at + 4 :] + chunk
        assert np.array_equal(decode(tmp_path / "b", changed), decode(tmp_path / "a", data))


@pytest.mark.parametrize("container", SIZES)
def test_a_header_that_is_out_of_date_does_not_cut_the_sound(tmp_path, container):
    data = encode(container)
    expected = decode(tmp_path / "a", data)
    stale = set_size(data, container, 2 * RATE_HZ)
    assert np.array_equal(decode(tmp_path / "b", stale), expected)
    assert judge(tmp_path / "b.wav", stale) == ""


@pytest.mark.parametrize("container", ["WAV", "RF64", "AIFF"])
@pytest.mark.parametrize("size", [0, 2 * RATE_HZ])
def test_chunks_behind_sound_of_unknown_length_are_not_decoded(tmp_path, container, size):
    data = encode(container)
    order = ">I" if container == "AIFF" else "<I"
    chunks = b"LIST" + struct.pack(order, 2000) + bytes(range(250)) * 8 + b"id3 " + struct.pack(order, 500) + bytes(500)
    assert np.array_equal(
        decode(tmp_path / "a", set_size(data, container, size) + chunks), decode(tmp_path / "b", data)
    )


@pytest.mark.parametrize(
    ("container", "subtype"),
    [
        *(("WAV", name) for name in ("FLOAT", "PCM_24", "PCM_U8", "ULAW", "IMA_ADPCM", "MS_ADPCM", "GSM610")),
        *(("AIFF", name) for name in ("FLOAT", "PCM_S8")),
        *(("WAVEX", "PCM_16"), ("W64", "PCM_24"), ("RF64", "FLOAT")),
    ],
)
def test_every_encoding_is_found_behind_a_size_that_was_never_written(tmp_path, container, subtype):
    data = encode(container, subtype)
    lying = set_size(data, "WAV" if container == "WAVEX" else container, 0)
    expected = decode(tmp_path / "a", data)
    decoded = decode(tmp_path / "b", lying)
    assert len(expected) <= len(decoded) < len(expected) + 2000  # blocks of ADPCM are decoded to their end
    assert np.array_equal(decoded[: len(expected)], expected)
    assert judge(tmp_path / "b.wav", lying) == ""


@pytest.mark.parametrize("container", SIZES)
def test_a_file_that_is_cut_before_its_sound_is_empty(tmp_path, container):
    data = encode(container)
    begin = len(data) - 2 * 3 * RATE_HZ
    assert judge(tmp_path / "a.wav", data[:begin]).startswith(("empty", "unreadable"))


@pytest.mark.parametrize("container", SIZES)
def test_bytes_behind_the_sound_that_may_be_more_of_it_are_told(tmp_path, container):
    """Not chunks, not tags, and as rough as anything: nobody but a listener can tell."""
    data, junk = encode(container, seconds=1.0), np.random.default_rng(0).bytes(3 * 2 * RATE_HZ)
    reason = judge(tmp_path / "a.wav", data + junk)
    assert reason.startswith("its header says 1.00 s, and bytes for 3.00 s more follow")
    assert "ffmpeg -ignore_length 1" in reason


@pytest.mark.parametrize("container", SIZES)
def test_chunks_and_zeros_behind_the_sound_are_no_sound(tmp_path, container):
    data = encode(container)
    order = ">I" if container == "AIFF" else "<I"
    chunk = b"note" + struct.pack(order, 6000) + bytes(range(250)) * 24
    guid = b"note" + bytes.fromhex("f3acd3118cd100c04f8edb8a") + struct.pack("<Q", 6024) + bytes(range(250)) * 24
    expected = decode(tmp_path / "a", data)
    for behind in (guid if container == "W64" else chunk, bytes(200_000), ID3V1, ID3V2, APE, b"junk"):
        assert np.array_equal(decode(tmp_path / "b", data + behind), expected), behind[:4]
        assert judge(tmp_path / "b.wav", data + behind) == ""


@pytest.mark.parametrize("container", SIZES)
def test_what_is_cut_is_told_with_how_much_there_was(tmp_path, container):
    data = encode(container)
    assert "only 1.50 s of its 3.00 s can be decoded" in judge(tmp_path / "a.wav", data[: -3 * RATE_HZ])
    assert "only 3.00 s of its 6.00 s" in judge(tmp_path / "a.wav", set_size(data, container, 12 * RATE_HZ))


@pytest.mark.parametrize("container", ["WAV", "AIFF"])
def test_sound_beyond_4_gb_is_not_cut_where_its_size_wraps(tmp_path, container):
    """The file is sparse: the disk holds little of it; only the first and the last of it are read."""
    data = encode(container, "PCM_16", n_channels=2, rate_hz=48000)
    head_bytes = len(data) - 3 * 4 * 48000
    n_frames = 2**30 + 3 * 48000
    path = tmp_path / "long.wav"
    path.write_bytes(set_size(data, container, (4 * n_frames) % 2**32))
    with path.open("r+b") as file:
        file.truncate(head_bytes + 4 * n_frames)
    metadata = get_metadata(path)
    assert metadata.n_frames == n_frames
    assert np.array_equal(next(read_blocks(path))[: 3 * 48000], decode(tmp_path / "short", data))
