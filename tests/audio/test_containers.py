"""Whatever a header says or lies around the sound: what is there is decoded, or it is said how much of how much is."""

import struct
import threading
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import soundfile

from sda.audio.io import get_metadata, load_audio, read_blocks
from sda.data.scan import scan_file
from sda.errors import DataError
from tests.conftest import tone

RATE_HZ = 16000
SIZES = {"WAV": (b"data", "<I"), "RF64": (b"ds64", "<Q"), "W64": (b"data", "<Q"), "AIFF": (b"SSND", ">I")}
"""By container: the chunk that says how long the sound is, and the form of the number."""

ID3V1 = b"TAG" + b"title".ljust(125, b"\0")
ID3V2 = b"ID3\3\0\0\0\0\2\0" + bytes(256)
APE = b"APETAGEX" + struct.pack("<IIII", 2000, 32, 0, 0) + bytes(8)
APE_IN_FRONT = b"APETAGEX" + struct.pack("<IIII", 2000, 32, 0, 0xA0000000) + bytes(8) + APE
LYRICS = b"LYRICSBEGININD0000200" + b"000021LYRICS200" + ID3V1


def encode(
    container: str,
    subtype: str | None = None,
    start: int = 0,
    *,
    seconds: float = 3.0,
    n_channels: int = 1,
    rate_hz: int = RATE_HZ,
) -> bytes:
    """A tone with noise, others by `start`."""
    noise = np.random.default_rng(start).normal(0, 0.02, (round(seconds * rate_hz), n_channels))
    file = BytesIO()
    samples = 0.5 * tone(300 + start, seconds, rate_hz)[:, None] + noise
    soundfile.write(file, samples, rate_hz, format=container, subtype=subtype)
    return file.getvalue()


def set_size(data: bytes, container: str, size: int) -> bytes:
    """The same with another size of its sound in the header."""
    name, form = SIZES[container]
    at = data.index(name) + {"WAV": 4, "RF64": 16, "W64": 16, "AIFF": 4}[container]
    changed = bytearray(data)
    struct.pack_into(form, changed, at, {"W64": 24, "AIFF": 8}.get(container, 0) + size if 0 < size < 2**31 else size)
    return bytes(changed)


def riff(*chunks: tuple[bytes, bytes]) -> bytes:
    body = b"".join(
        name + struct.pack("<I", len(content)) + content + bytes(len(content) % 2) for name, content in chunks
    )
    return b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WAVE" + body


def decode(path: Path, data: bytes) -> np.ndarray:
    path.write_bytes(data)
    return np.concatenate(list(read_blocks(path)))


def judge(path: Path, data: bytes) -> str:
    """Why a file is left out; that it is used at its whole length is checked where it is."""
    path.write_bytes(data)
    file, _ = scan_file(path)
    if file.usable:
        assert file.duration_s == pytest.approx(len(load_audio(path, RATE_HZ)) / RATE_HZ)
    return file.reason


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


@pytest.mark.parametrize("size", [36, 44])
def test_the_size_of_the_file_in_place_of_the_sounds_is_no_loss(tmp_path, size):
    data = encode("WAV")
    assert judge(tmp_path / "a.wav", set_size(data, "WAV", len(data) - 44 + size)) == ""


@pytest.mark.parametrize("n_channels", [1, 2])
@pytest.mark.parametrize("behind", [b"", ID3V1, bytes(3000)])
@pytest.mark.parametrize("n_samples", [0, 1000, RATE_HZ])
def test_a_flac_is_as_long_as_its_frames(tmp_path, n_channels, behind, n_samples):
    data = bytearray(encode("FLAC", seconds=4.0, n_channels=n_channels))
    expected = decode(tmp_path / "a.flac", bytes(data))
    data[21] &= 0xF0
    struct.pack_into(">I", data, 22, n_samples)
    assert np.array_equal(decode(tmp_path / "b.flac", bytes(data) + behind), expected)
    assert judge(tmp_path / "b.flac", bytes(data) + behind) == ""


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


@pytest.mark.parametrize("container", SIZES)
def test_a_file_that_is_cut_before_its_sound_is_empty(tmp_path, container):
    data = encode(container)
    begin = len(data) - 2 * 3 * RATE_HZ
    assert judge(tmp_path / "a.wav", data[:begin]).startswith(("empty", "unreadable"))


def test_bytes_that_are_no_floats_are_no_sound_that_goes_on(tmp_path):
    data = encode("WAV", "DOUBLE", seconds=1.0)
    junk = np.array([0.1, np.nan, 1e300, -1e300, np.inf] * 3000).tobytes()
    for behind in (junk, np.array([1e300, -1e300] * 9000).tobytes()):
        assert judge(tmp_path / "a.wav", data + behind).startswith("its header says 1.00 s, and bytes for")


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


@pytest.mark.parametrize("container", ["FLAC", "WAV", "AIFF", "MP3", "OGG", "W64"])
@pytest.mark.parametrize("front", [b"", ID3V2, ID3V2 + ID3V2, APE_IN_FRONT, bytes(4096), ID3V2 + bytes(1000)])
@pytest.mark.parametrize("behind", [b"", ID3V1, APE, APE + ID3V1, LYRICS, bytes(5000)])
def test_tags_around_a_sound_do_not_matter(tmp_path, container, front, behind):
    data = encode(container, seconds=1.0)
    expected = decode(tmp_path / "a", data)
    assert np.array_equal(decode(tmp_path / "b", front + data + behind), expected)
    assert judge(tmp_path / "b.wav", front + data + behind) == ""


@pytest.mark.parametrize("container", ["FLAC", "WAV", "AIFF", "W64"])
def test_files_that_were_joined_are_decoded_one_behind_the_other(tmp_path, container):
    files = [encode(container, start=start, seconds=1.0 + start / 500) for start in (0, 500)]
    expected = np.concatenate([decode(tmp_path / "a", data) for data in files])
    assert np.array_equal(decode(tmp_path / "b", b"".join(files)), expected)
    assert judge(tmp_path / "b.wav", b"".join(files)) == ""


@pytest.mark.parametrize("size", [None, 0, 0xFFFFFFFF])
@pytest.mark.parametrize(("tag", "inner"), [(0x55, "MP3"), (0xF1AC, "FLAC"), (0x6771, "OGG"), (0xFFFE, "MP3")])
def test_other_sound_in_a_wav_is_decoded_as_what_it_is(tmp_path, tag, inner, size):
    data = encode(inner)
    formats = struct.pack("<HHIIHH", tag, 1, RATE_HZ, 4000, 1, 0)
    if tag == 0xFFFE:
        formats += struct.pack("<HHIH", 22, 0, 0, 0x55) + bytes.fromhex("000000001000800000aa00389b71")
    elif tag == 0x55:
        formats += struct.pack("<HHIHHH", 12, 1, 2, 144, 1, 0)
    wrapped = riff((b"fmt ", formats), (b"data", data))
    if size is not None:
        wrapped = set_size(wrapped, "WAV", size)
    assert np.array_equal(decode(tmp_path / "a.wav", wrapped), decode(tmp_path / "b", data))
    assert judge(tmp_path / "a.wav", wrapped) == ""


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


def test_the_decoder_says_nothing_on_the_console(tmp_path, capfd):
    """mpg123 writes warnings that name no file; while it does, what others write is seen."""
    damaged = bytearray(encode("MP3"))
    for at in range(800, len(damaged), 97):
        damaged[at] ^= 0x5A
    soundfile.read(BytesIO(bytes(damaged)))
    assert "MPEG" in capfd.readouterr().err, "the damage is not such that the decoder would say something"
    for number in range(8):
        (tmp_path / f"{number}.mp3").write_bytes(damaged + ID3V1)
    threads = [threading.Thread(target=scan_file, args=(tmp_path / f"{number}.mp3",)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert capfd.readouterr().err == ""
    soundfile.read(BytesIO(bytes(damaged)))
    assert "MPEG" in capfd.readouterr().err, "what others' C code writes is kept from the console for ever"


def test_a_flac_that_is_damaged_midway_is_told_with_how_much_there_is(tmp_path):
    data = bytearray(encode("FLAC"))
    data[len(data) // 2 :] = np.random.default_rng(0).bytes(len(data) - len(data) // 2)
    reason = judge(tmp_path / "a.flac", bytes(data))
    assert reason.startswith("truncated or damaged: only 1.")
    assert " of its 3.00 s can be decoded" in reason
