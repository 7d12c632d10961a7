"""WAV, RF64, BW64, W64 and AIFF: where their sound lies, whatever their headers say its length is.

A program that is killed leaves a size of 0, one that writes to a pipe or beyond 4 GB a size that means nothing, and one
that saves its header now and then a size that is out of date. What tells is the file: what follows the sound must be
chunks, tags, zeros or the end.
"""

from dataclasses import replace

from sda.audio.foreign import is_text, name_content
from sda.audio.form import Chunk, Form, Style
from sda.audio.mpeg import Readable
from sda.audio.tags import find_end, find_start

LEAST_REST_S = 0.05
"""Bytes behind the sound that make no more than this of it are not looked into."""

MOST_CHUNKS = 10_000

MOST_LAST_BYTES = 1 << 18
"""In which chunks behind sound of unknown length are looked for."""

_W64_RIFF = bytes.fromhex("726966662e91cf11a5d628db04c10000")
_W64_TAIL = bytes.fromhex("f3acd3118cd100c04f8edb8a")
_KNOWN = {
    b"LIST",
    b"bext",
    b"iXML",
    b"id3 ",
    b"ID3 ",
    b"cue ",
    b"fact",
    b"PEAK",
    b"JUNK",
    b"junk",
    b"PAD ",
    b"smpl",
} | {
    *(
        b"axml",
        b"_PMX",
        b"afsp",
        b"DISP",
        b"inst",
        b"NAME",
        b"MARK",
        b"COMT",
        b"INST",
        b"(c) ",
        b"AUTH",
        b"ANNO",
        b"APPL",
    )
}
"""Chunks that are known by their names even where they are cut."""


def read_form(file: Readable, start: int, n_bytes: int) -> Form | None:
    """The sound that begins here, and where it really ends; nothing where no sound is found.

    Args:
        n_bytes: the size of the file.
    """
    form = _find_sound(file, start, n_bytes)
    return None if form is None else _find_end_of_sound(file, form, n_bytes)


def is_form(head: bytes) -> bool:
    """Whether such a file begins like this."""
    return _name_kind(head) != b""


def _name_kind(head: bytes) -> bytes:
    if head[:16] == _W64_RIFF:
        return b"W64"
    kind, content = head[:4], head[8:12]
    if kind in (b"RIFF", b"RIFX", b"RF64", b"BW64"):
        return kind if content == b"WAVE" else b""
    return kind if kind == b"FORM" and content in (b"AIFF", b"AIFC") else b""


def _find_sound(file: Readable, start: int, n_bytes: int) -> Form | None:
    file.seek(start)
    kind = _name_kind(file.read(40))
    style = Style("big" if kind in (b"RIFX", b"FORM") else "little")
    position, long_bytes, formats = start + 12, -1, b""
    if kind == b"W64":
        style, position = Style("little", name_bytes=16, size_bytes=8, aligned_to=8), start + 40
    for _ in range(MOST_CHUNKS):
        chunk = _read_chunk(file, position, style)
        if not kind or chunk is None or chunk.start > n_bytes:
            return None
        if chunk.name == b"ds64":
            file.seek(chunk.start + 8)
            long_bytes = int.from_bytes(file.read(8), "little")
        elif chunk.name in (b"fmt ", b"COMM"):
            file.seek(chunk.start)
            formats = file.read(min(chunk.n_bytes, 1 << 12))
        elif chunk.name in (b"data", b"SSND"):
            sound = chunk
            if kind in (b"RF64", b"BW64") and is_placeholder(chunk.n_bytes) and long_bytes > 0:
                sound = chunk._replace(n_bytes=long_bytes)
            if kind == b"FORM":
                sound = Chunk(chunk.name, chunk.start + 8, chunk.n_bytes - 8 if chunk.n_bytes > 8 else 0)
            return Form(kind, start, style, sound, formats) if sound.start <= n_bytes else None
        position = _pad(chunk.start + chunk.n_bytes, start, style)
    return None


def _read_chunk(file: Readable, position: int, style: Style) -> Chunk | None:
    file.seek(position)
    header = file.read(style.header_bytes)
    if len(header) < style.header_bytes:
        return None
    name = header[: style.name_bytes]
    n_bytes = int.from_bytes(header[style.name_bytes :], style.order)
    if style.name_bytes == 16:  # W64 counts the header, and has its old names in the first four bytes
        return Chunk(name[:4] if name[4:] == _W64_TAIL else name, position + 24, max(0, n_bytes - 24))
    return Chunk(name, position + 8, n_bytes)


def _pad(position: int, start: int, style: Style) -> int:
    """Where the next chunk begins."""
    return position + (start - position) % style.aligned_to


def _find_end_of_sound(file: Readable, form: Form, n_bytes: int) -> Form:
    """The same with where its sound really ends, and what is wrong with its header."""
    start, said = form.sound.start, form.sound.n_bytes
    step = 1 << 32 if form.style.size_bytes == 4 and said < 1 << 32 else 0
    # A size that has only 32 bits lacks what is beyond them; the longest that fits is tried first.
    n_wraps = max(0, n_bytes - start - said) // step if step else 0
    for end in range(start + said + n_wraps * step, start + said - 1, -max(1, step)):
        if end <= n_bytes and _is_followed_well(file, form, end, n_bytes):
            next_start = _pass_chunks(file, _pad(end, form.start, form.style), form.style, n_bytes)[1]
            is_odd = end != start + said or form.start > 0 or form.kind == b"BW64"
            is_odd = is_odd or (form.kind == b"W64" and end < n_bytes)
            return replace(form, end=end, said_bytes=end - start, is_odd=is_odd, next_start=next_start)
    last = _find_last_chunks(file, form, start + (0 if is_placeholder(said) else said), find_end(file, n_bytes, start))
    if is_placeholder(said) or n_bytes - start >= 1 << 32:
        is_known = form.kind in (b"RIFF", b"RIFX", b"FORM") and said and last == n_bytes < 1 << 32
        return replace(form, end=last, said_bytes=last - start, is_odd=not is_known or form.start > 0)
    if said in (n_bytes, n_bytes - 8):  # some programs write the size of the file there
        return replace(form, end=n_bytes, said_bytes=n_bytes - start, is_odd=form.start > 0 or form.kind == b"BW64")
    if start + said > n_bytes:
        return replace(form, end=n_bytes, said_bytes=said, is_odd=form.start > 0 or form.kind == b"BW64")
    return _weigh_rest(file, form, last)


def _is_followed_well(file: Readable, form: Form, end: int, n_bytes: int) -> bool:
    """Whether nothing but chunks and tags lies behind this end; not every program pads to an even place."""
    padded = _pad(end, form.start, form.style)
    return any(_pass_chunks(file, place, form.style, n_bytes)[0] == n_bytes for place in {padded, end})


def _weigh_rest(file: Readable, form: Form, last: int) -> Form:
    """The same where bytes lie behind its sound that are no chunks."""
    end = form.sound.start + form.sound.n_bytes
    form = replace(
        form, end=end, said_bytes=end - form.sound.start, is_odd=form.start > 0 or form.kind in (b"W64", b"BW64")
    )
    least = max(1, LEAST_REST_S * form.bytes_per_s)
    if last - end <= least or _is_zero(file, end, last):
        return form
    file.seek(end)
    if is_text(head := file.read(1 << 10)) or name_content(head):
        return form
    return replace(form, rest=(end, last))


def is_placeholder(size: int) -> bool:
    """Whether a program wrote this because it could not know the size, such as one that writes to a pipe.

    >>> [is_placeholder(size) for size in (0xFFFFFFFF, 0x7FFFF000, 0x80000000, 44100)]
    [True, True, True, False]
    """
    return size == 0 or 0x7FFFF000 <= size <= 0x80000000 or 0xFFFFF000 <= size <= 0xFFFFFFFF or size >= 1 << 62


def _pass_chunks(
    file: Readable, position: int, style: Style, n_bytes: int, *, is_strict: bool = False
) -> tuple[int, int]:
    """How far chunks and tags reach from here, and where a second sound begins among them (0 for none)."""
    for _ in range(MOST_CHUNKS):
        if position >= n_bytes:
            return n_bytes, 0
        file.seek(position)
        head = file.read(40)
        if is_form(head):
            return n_bytes, position
        chunk = _read_chunk(file, position, style)
        if chunk is not None and _looks_like_chunk(chunk, style, n_bytes, is_strict):
            position = min(n_bytes, _pad(chunk.start + chunk.n_bytes, position, style))
            continue
        if head[:3] == b"ID3" or head[:8] == b"APETAGEX":
            behind = find_start(file, n_bytes, position)
            if behind > position:
                position = behind
                continue
        end = find_end(file, n_bytes, position)
        return (n_bytes if end == position else position), 0
    return position, 0


def _find_last_chunks(file: Readable, form: Form, start: int, end: int) -> int:
    """Where chunks of known names begin that reach to the end, behind sound whose end is not known."""
    begin = min(end, max(start, end - MOST_LAST_BYTES))
    file.seek(begin)
    last = file.read(end - begin)
    found = sorted(begin + at for name in _KNOWN if (at := last.find(name)) >= 0)
    fits = (
        at for at in found if form.kind != b"W64" and _pass_chunks(file, at, form.style, end, is_strict=True)[0] == end
    )
    return next(fits, end)


def _looks_like_chunk(chunk: Chunk, style: Style, n_bytes: int, is_strict: bool) -> bool:
    """Whether this is one that ends within the file, or, unless that is asked for, one whose name is known."""
    if style.name_bytes == 16:
        return 24 <= chunk.start <= n_bytes and 0 < chunk.n_bytes <= n_bytes - chunk.start and len(chunk.name) == 4
    printable = all(32 <= byte < 127 for byte in chunk.name) and not chunk.name.startswith((b"TAG", b"ID3\x03"))
    fits = chunk.start + chunk.n_bytes <= n_bytes
    return printable and (fits or (chunk.name in _KNOWN and not is_strict))


def _is_zero(file: Readable, start: int, end: int) -> bool:
    """Whether nothing but zeros lies there."""
    while start < end:
        file.seek(start)
        found = file.read(min(1 << 20, end - start))
        if not found or found.strip(b"\0"):
            return not found
        start += len(found)
    return True
