"""The sound within chunks: how its samples are stored, and a header for it that is right."""

from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest
import soundfile

from sda.audio.chunks import read_form
from sda.audio.view import View
from tests.audio.files import SIZES, encode, set_size
from tests.conftest import RATE_HZ


def _read(data):
    form = read_form(BytesIO(data), 0, len(data))
    assert form is not None
    return form


@pytest.mark.parametrize(("container", "n_channels"), [("WAV", 2), ("WAVEX", 2), ("RF64", 2), ("AIFF", 2)])
@pytest.mark.parametrize(("subtype", "sample_bytes"), [("PCM_16", 2), ("PCM_24", 3), ("FLOAT", 4)])
def test_a_second_has_as_many_bytes_as_its_samples(container, n_channels, subtype, sample_bytes):
    form = _read(encode(container, subtype, n_channels=n_channels))
    assert form.bytes_per_s == n_channels * sample_bytes * RATE_HZ
    assert form.n_bytes == 3 * form.bytes_per_s


def test_of_an_encoding_that_is_packed_bytes_say_nothing_of_seconds():
    assert _read(encode("AIFF", "ULAW")).bytes_per_s == 0


@pytest.mark.parametrize(
    ("container", "subtype", "tag"),
    [("WAV", "PCM_16", 1), ("WAV", "FLOAT", 3), ("WAVEX", "PCM_16", 1), ("WAVEX", "FLOAT", 3), ("AIFF", "PCM_16", 0)],
)
def test_the_sample_format_is_found_in_the_extension_too(container, subtype, tag):
    assert _read(encode(container, subtype)).tag == tag


@pytest.mark.parametrize("container", SIZES)
@pytest.mark.parametrize("size", [0, 2 * RATE_HZ])
def test_behind_the_header_that_is_made_the_sound_is_whole(container, size):
    data = encode(container, n_channels=2)
    lying = set_size(data, container, size)
    form = _read(lying)
    form = form.extended() if size else form  # a size that is out of date leaves the rest of the sound behind it
    with soundfile.SoundFile(View(BytesIO(lying), form.cut_pieces())) as sound:
        assert np.array_equal(sound.read(always_2d=True), soundfile.read(BytesIO(data), always_2d=True)[0])


@pytest.mark.parametrize(("n_bytes", "kind"), [(2**32 - 1000, b"RIFF"), (2**32, b"RF64")])
def test_what_is_too_long_for_a_wav_gets_the_header_of_an_rf64(n_bytes, kind):
    form = _read(encode("WAV"))
    head, sound = replace(form, end=form.sound.start + n_bytes).cut_pieces()
    assert head[:4] == kind
    assert sound == (form.sound.start, n_bytes)
    said = head.index(b"ds64") + 16 if kind == b"RF64" else head.index(b"data") + 4
    assert int.from_bytes(head[said : said + (8 if kind == b"RF64" else 4)], "little") == n_bytes


def test_what_lies_behind_a_sound_can_be_taken_for_more_of_it():
    data, behind = encode("WAV", seconds=1.0), np.random.default_rng(0).bytes(2 * RATE_HZ)
    form = _read(data + behind)
    assert form.rest == (len(data), len(data) + len(behind))
    longer = form.extended()
    assert (longer.n_bytes, longer.said_bytes, longer.rest) == (4 * RATE_HZ, 4 * RATE_HZ, (0, 0))
    assert longer.is_odd, "libsndfile has to be given another header"
