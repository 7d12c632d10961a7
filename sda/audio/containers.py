"""What is in a sound file: where its sounds lie, by its bytes, and whether all of them are there.

libsndfile decodes the first of several streams, as long as its header says. Here a file is looked into before, and
where that is not all of it, libsndfile is given views of what is there (`View`), each a plain sound of its own.
"""

import os
from dataclasses import dataclass, replace
from typing import BinaryIO

import numpy as np
import soundfile

from sda.audio.chunks import is_form, read_form
from sda.audio.decoder_words import no_decoder_words
from sda.audio.flac import cut_flacs
from sda.audio.foreign import describe_foreign, is_text, name_content, name_wav_format
from sda.audio.form import Form
from sda.audio.mpeg import list_mpeg_sounds, needs_counting, read_mpeg_header
from sda.audio.ogg import list_streams
from sda.audio.tags import find_start
from sda.audio.view import Pieces, View

MOST_SOUNDS = 10_000
"""Sounds one behind the other in a file; more are damage."""

HEAD_BYTES = 1 << 14
"""Of a beginning, to be known by: two frames of AAC fit."""

MPEG_TAGS = (0x50, 0x55)
"""Formats of a WAV that are MPEG audio: layers I and II, and MP3."""

SAMPLE_TAGS = (1, 3, 6, 7)
"""Formats of a WAV in which every sample stands for itself: integers, floats, A-law and µ-law."""

WEIGHED_SAMPLES = 1 << 18
"""Samples, per channel, on both sides of the end that a header says, by which it is told whether sound goes on."""

NO_SAMPLE = 1e6
"""Beyond this lie bytes read as floats that are none."""

_DTS = (bytes.fromhex("fe7f0180"), bytes.fromhex("ff1f00e8"), bytes.fromhex("7ffe8001"), bytes.fromhex("1fffe800"))


@dataclass(frozen=True)
class Content:
    """The sounds in a file, in their order."""

    sounds: tuple[Pieces, ...] = ()
    """Of each, what libsndfile is to decode; none where it is to be given the file as it is."""
    present_share: float = 1.0
    """How much of the sound is there, by what the header says of its size."""
    is_endless: bool = False
    """Whether a stream of an Ogg lacks its last page, so that nobody knows how long it was."""
    rest_share: float = 0.0
    """Bytes behind the sound that are neither sound nor anything known, as a share of the sound's."""

    @property
    def is_plain(self) -> bool:
        """Whether libsndfile is to be given the file as it is."""
        return not self.sounds


def inspect_content(path: str | os.PathLike[str]) -> Content:
    """Look into a file for the sounds in it.

    Raises:
        OSError: it cannot be read.
        ValueError: it holds something else, which is named with what to do.
    """
    with open(path, "rb") as file:
        n_bytes = os.fstat(file.fileno()).st_size
        content = _look(file, 0, n_bytes)
        whole = ((0, n_bytes),)
        return replace(content, sounds=()) if content.sounds == (whole,) else content


def name_unknown(path: str | os.PathLike[str]) -> str:
    """Why nothing could be made of a file, where its beginning tells; else empty."""
    with open(path, "rb") as file:
        head = file.read(1 << 10)
    return "its content is text, not sound" if is_text(head) else ""


def _look(file: BinaryIO, start: int, end: int) -> Content:
    """The sounds between two places of a file; views of them, even where there is one that is the whole file."""
    begin = find_start(file, end, start)
    file.seek(begin)
    head = file.read(min(HEAD_BYTES, end - begin))
    if is_form(head):
        return _look_at_forms(file, begin, end)
    if head[:4] == b"OggS":
        return _look_at_ogg(file, begin, end)
    if head[:4] == b"fLaC":
        return Content(tuple(cut_flacs(file, begin, end)))
    if words := name_content(head):
        raise ValueError(words)
    return _look_at_mpeg(file, begin, end) if read_mpeg_header(head) else Content()


def _look_at_forms(file: BinaryIO, begin: int, end: int) -> Content:
    """WAV and its kin, and AIFF: what is plain stays so."""
    sounds: list[Pieces] = []
    said = present = rest = 0
    is_odd = False
    while len(sounds) < MOST_SOUNDS and (form := read_form(file, begin, end)):
        if form.rest != (0, 0) and _goes_on(file, form):
            form = form.extended()
        inner = _look_inside(file, form)
        sounds += inner.sounds or (form.cut_pieces(),)
        is_odd = is_odd or form.is_odd or not inner.is_plain or len(sounds) > 1
        said, present, rest = said + form.said_bytes, present + form.n_bytes, rest + form.rest[1] - form.rest[0]
        if not form.next_start:
            break
        begin = form.next_start
    return Content(
        tuple(sounds) if is_odd else (),
        present_share=present / said if said else 1.0,
        rest_share=rest / present if present else 0.0,
    )


def _look_inside(file: BinaryIO, form: Form) -> Content:
    """Sound of another kind within a WAV: MP3, FLAC or Ogg."""
    file.seek(form.sound.start)
    mark = file.read(4)
    if mark in _DTS:
        raise ValueError(describe_foreign("DTS in a WAV"))
    if form.tag in MPEG_TAGS or (form.tag and form.tag not in SAMPLE_TAGS and mark in (b"fLaC", b"OggS")):
        return _look(file, form.sound.start, form.end)
    if words := name_wav_format(form.tag):
        raise ValueError(words)
    return Content()


def _look_at_ogg(file: BinaryIO, begin: int, end: int) -> Content:
    streams = list_streams(file, begin, end)
    return Content(
        tuple(stream.cut_pieces() for stream in streams),
        is_endless=not all(stream.is_ended for stream in streams),
    )


def _look_at_mpeg(file: BinaryIO, begin: int, end: int) -> Content:
    if not needs_counting(file, begin, end):
        return Content((((begin, end - begin),),))
    sounds = list_mpeg_sounds(file, begin, end)
    return Content(tuple(sound.cut_pieces(file) for sound in sounds))


def _goes_on(file: BinaryIO, form: Form) -> bool:
    """Whether what lies behind the end that a header says is more of the same sound, and not something else.

    Bytes of something else, read as samples, are as rough as white noise, as loud as can be, or all on one side.
    """
    if form.kind != b"FORM" and form.tag not in SAMPLE_TAGS:
        return False
    try:
        with no_decoder_words(), soundfile.SoundFile(View(file, form.cut_pieces())) as short:
            n_said = short.frames
        with no_decoder_words(), soundfile.SoundFile(View(file, form.extended().cut_pieces())) as long:
            long.seek(max(0, n_said - WEIGHED_SAMPLES))
            before = long.read(min(n_said, WEIGHED_SAMPLES), always_2d=True)
            after = long.read(WEIGHED_SAMPLES, always_2d=True)
    except soundfile.SoundFileError:
        return False
    return len(after) > 1 and _is_like(before if len(before) > 1 else after, after)


def _is_like(before: np.ndarray, after: np.ndarray) -> bool:
    """Whether two stretches of samples may be one sound; the same given twice is judged alone."""
    if not all(np.abs(samples).max() <= NO_SAMPLE for samples in (before, after)):  # nor is NaN a sample
        return False
    roughness, level, offset = _describe(after)
    roughness_before, level_before, offset_before = _describe(before)
    is_alike = before is not after and level < 2 * level_before and abs(roughness - roughness_before) < 0.1
    is_noise = level > 0.5 or (level > 0.25 and roughness > 1.2)  # random bytes: 0.58 and 1.41, as µ-law 0.3
    is_one_sided = offset > 0.5 and (before is after or abs(offset - offset_before) > 0.1)
    return (is_alike or not is_noise) and not is_one_sided


def _describe(samples: np.ndarray) -> tuple[float, float, float]:
    """Steps from sample to sample against the samples (1.41 for white noise), level, mean against level."""
    level = float(np.sqrt(np.square(samples).mean())) or 1e-12
    steps = float(np.sqrt(np.square(np.diff(samples, axis=0)).mean()))
    return steps / level, level, float(np.abs(samples.mean(axis=0)).max()) / level
