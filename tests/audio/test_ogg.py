"""Ogg: every link of a chain is decoded, sound among video and FLAC in pages is found, and a cut is told."""

import struct

import numpy as np
import pytest

from sda.audio.io import get_metadata, load_audio
from tests.audio.files import decode, encode, judge
from tests.conftest import RATE_HZ


@pytest.mark.parametrize("subtype", ["VORBIS", "OPUS"])
def test_every_link_of_a_chained_ogg_is_decoded(tmp_path, subtype):
    links = [encode("OGG", subtype, start, seconds=2.0) for start in (0, 400, 900)]
    whole = decode(tmp_path / "a.ogg", b"".join(links))
    alone = [decode(tmp_path / "b.ogg", link) for link in links]
    assert np.array_equal(whole, np.concatenate(alone))
    assert judge(tmp_path / "a.ogg", b"".join(links)) == ""
    assert get_metadata(tmp_path / "a.ogg").n_frames == len(whole)


def test_links_of_a_chain_may_differ_in_rate_and_channels(tmp_path):
    links = (
        encode("OGG", seconds=1.0),
        encode("OGG", start=400, seconds=2.0, n_channels=2, rate_hz=44100),
        encode("OGG", "OPUS", 900, seconds=1.0),
    )
    path = tmp_path / "a.ogg"
    assert judge(path, b"".join(links)) == ""
    metadata = get_metadata(path)
    assert (metadata.sample_rate_hz, metadata.n_channels, metadata.n_frames) == (44100, 2, 4 * 44100)
    loaded = load_audio(path, RATE_HZ)
    for link, start, length in ((links[0], 0, 1), (links[1], 1, 2), (links[2], 3, 1)):
        (tmp_path / "b.ogg").write_bytes(link)
        within = slice(start * RATE_HZ + 400, (start + length) * RATE_HZ - 400)
        alone = load_audio(tmp_path / "b.ogg", RATE_HZ)[400:-400]
        assert np.corrcoef(loaded[within], alone)[0, 1] > 0.99  # resampled once more


def test_a_cut_ogg_is_named_with_what_is_there(tmp_path):
    for subtype in ("VORBIS", "OPUS"):
        whole = encode("OGG", subtype)
        reason = judge(tmp_path / "a.ogg", whole[: len(whole) // 2])
        assert reason.startswith("truncated: only ")
        assert "its last page is missing" in reason
        assert 0.5 < float(reason.split()[2]) < 2.5
        assert "last page is missing" in judge(tmp_path / "b.ogg", whole[: len(whole) // 2] + whole)


@pytest.mark.parametrize("subtype", ["VORBIS", "OPUS"])
def test_an_ogg_that_ends_with_a_whole_page_but_not_the_last_is_cut(tmp_path, subtype):
    data = encode("OGG", subtype, seconds=8.0)
    cut = data[: data.rindex(b"OggS")]
    assert "its last page is missing" in judge(tmp_path / "a.ogg", cut)
    assert "its last page is missing" in judge(tmp_path / "b.ogg", data + cut)


def wrap_flac(data: bytes, page_bytes: int = 4000) -> bytes:
    """A FLAC in the pages of an Ogg: a header alone on the first."""
    head = data[:42]
    packets = [b"\x7fFLAC\1\0\0\1" + head, *(data[at : at + page_bytes] for at in range(42, len(data), page_bytes))]
    pages = []
    for number, packet in enumerate(packets):
        flags = 2 * (number == 0) + 4 * (number == len(packets) - 1)
        table = bytes([255] * (len(packet) // 255) + [len(packet) % 255])
        pages.append(b"OggS" + struct.pack("<BBqIII", 0, flags, 0, 7, number, 0) + bytes([len(table)]) + table + packet)
    return b"".join(pages)


def test_flac_in_ogg_is_flac(tmp_path):
    links = [encode("FLAC", start=start) for start in (0, 500)]
    expected = np.concatenate([decode(tmp_path / "a.flac", link) for link in links])
    assert np.array_equal(decode(tmp_path / "a.oga", wrap_flac(links[0])), expected[: 3 * RATE_HZ])
    assert np.array_equal(decode(tmp_path / "b.oga", wrap_flac(links[0]) + wrap_flac(links[1])), expected)
    assert judge(tmp_path / "b.oga", wrap_flac(links[0]) + wrap_flac(links[1])) == ""
    cut = judge(tmp_path / "c.oga", wrap_flac(links[0])[:-9000])
    assert "of its 3.00 s can be decoded" in cut


def test_the_sound_of_a_video_in_ogg_is_decoded(tmp_path):
    data = encode("OGG")
    first = 27 + data[26] + sum(data[27 : 27 + data[26]])

    def make_page(flags: int, number: int, content: bytes) -> bytes:
        return b"OggS" + struct.pack("<BBqIII", 0, flags, 0, 99, number, 0) + bytes([1, len(content)]) + content

    video = make_page(2, 0, b"\x80theora" + bytes(30)), make_page(0, 1, bytes(200)), make_page(4, 2, bytes(200))
    for mixed in (
        video[0] + data[:first] + video[1] + data[first:] + video[2],
        data[:first] + video[0] + data[first:] + video[2],
    ):
        assert np.array_equal(decode(tmp_path / "a.ogg", mixed), decode(tmp_path / "b.ogg", data))
        assert judge(tmp_path / "a.ogg", mixed) == ""
    assert "video (Theora), without sound" in judge(tmp_path / "c.ogg", b"".join(video))


def test_an_ogg_with_a_hole_is_told(tmp_path):
    data = encode("OGG", seconds=6.0)
    pages = [at for at in range(len(data)) if data[at : at + 4] == b"OggS"]
    assert "of its 6.00 s can be decoded" in judge(tmp_path / "a.ogg", data[: pages[4]] + data[pages[5] :])
