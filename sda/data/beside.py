"""Files that lie beside sounds and are none: notes, pictures, projects, and what other programs keep of each sound."""

from pathlib import Path

from sda.audio.foreign import holds_other, holds_sound, is_text

BESIDE = "no sound; passed over"
"""The reason of such a file: there is nothing to do about it."""

APPLE_DOUBLE = "._"
"""How names begin of what macOS keeps of a file on other systems' disks, under the file's own ending."""

_HEAD_BYTES = 1 << 10


def _list_suffixes(*lines: str) -> frozenset[str]:
    return frozenset(f".{name}" for line in lines for name in line.split())


_SUFFIXES = _list_suffixes(
    "sda asd reapeaks reapindex pkf pk sfk sfl peak peaks mrk nml ovw wfm pek cfa",  # of single sounds
    "als alp alc adg adv rpp rpp-bak logicx band flp ptx ptf cpr npr aup aup3 sesx ses song ardour mmp",  # projects
    "cue m3u m3u8 pls xspf wpl nfo log lrc srt sfv md5 sha1 sha256 sfz nki nkm nksf exs mid midi syx",
    "txt md rst rtf pdf doc docx odt pages html htm css xml json jsonl yaml yml csv tsv xls xlsx numbers ini cfg",
    "jpg jpeg png gif webp tif tiff bmp svg psd ico heic",
    "zip rar 7z gz bz2 xz tar tgz dmg iso exe dll py ipynb js sh bat db sqlite bib tex url webloc lnk",
)
"""Endings of names (lower case) that no sound has."""

_NAMES = frozenset({"thumbs.db", "desktop.ini", "icon\r"})
"""What systems put into folders, in lower case."""

_FOREIGN_SOUND = _list_suffixes(
    "m4a m4b m4p aac adts wma mp2 mp1 mpa opus spx caf wv ape tta mpc ofr dsf dff amr ac3 eac3 dts ra au snd w64 rf64",
    "bwf sd2 raw pcm gsm voc iff mka weba mp4 m4v mov qt wmv asf avi mkv webm flv 3gp mpg mpeg vob ts rm",
)
"""Endings of sound and video that are not read: whatever lies under such a name might be one."""


def lies_beside(path: Path) -> bool:
    """Whether a file whose name is none of a supported sound's is none at all, by its name and its first bytes.

    What begins like sound might be some, whatever its name says; so might what is known by neither.
    """
    name, suffix = path.name.lower(), path.suffix.lower()
    if suffix in _FOREIGN_SOUND:
        return False
    head = _read_head(path)
    if holds_sound(head):
        return False
    return name.startswith(".") or suffix in _SUFFIXES or name in _NAMES or is_text(head) or holds_other(head)


def _read_head(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(_HEAD_BYTES)
    except OSError:  # its name has to do
        return b""
