"""Truncation: whether all of a file's sound was decoded, as libsndfile does not say when one ends early."""

from sda.audio.decoding import UNKNOWN_FRAMES
from sda.audio.foreign import CONVERT, KEEP
from sda.audio.io import AudioMetadata
from sda.audio.mpeg import count_mpeg_samples
from sda.audio.tags import find_start
from sda.audio.view import View

DECODED_SHARE = 0.98
"""Of an MP3's frames: a few damaged ones are not missed."""

ENCODER_DELAY_SAMPLES = 4 * 1152
"""Silence that encoders of MP3 add at both ends, at most, and decoders take away again."""


def find_loss(metadata: AudioMetadata, n_decoded: int) -> str:
    """Why what was decoded is not all of a file's sound, and what to do; empty where it is, or where no one can tell.

    Args:
        metadata: what was found in the file before it was decoded.
        n_decoded: frames (samples per channel) that came out.

    Raises:
        OSError: the file cannot be read any more.
    """
    content, decoded_s = metadata.content, n_decoded / metadata.sample_rate_hz
    if content.rest_share:
        return _say_rest(decoded_s, decoded_s * content.rest_share)
    if 0 < content.present_share < 1:
        return _say_cut(decoded_s, decoded_s / content.present_share)
    is_cut = n_decoded < metadata.n_frames < UNKNOWN_FRAMES
    if metadata.subtype.startswith("MPEG"):
        n_samples, is_declared = _count_mpeg(metadata)
        if n_decoded < DECODED_SHARE * n_samples - ENCODER_DELAY_SAMPLES:
            length_s = n_samples / metadata.sample_rate_hz
            return f"only {decoded_s:.2f} s of its {length_s:.2f} s can be decoded; {CONVERT}"
        is_cut = is_cut and is_declared
    if is_cut:
        return _say_cut(decoded_s, metadata.duration_s)
    return _say_endless(decoded_s) if content.is_endless else ""


def _say_cut(decoded_s: float, length_s: float) -> str:
    return f"truncated: only {decoded_s:.2f} s of its {length_s:.2f} s can be decoded; copy or export it again, {KEEP}"


def _say_endless(decoded_s: float) -> str:
    found = f"truncated: only {decoded_s:.2f} s can be decoded, its last page is missing"
    return f"{found}; copy or export it again, {KEEP}"


def _say_rest(decoded_s: float, rest_s: float) -> str:
    return (
        f"its header says {decoded_s:.2f} s, and bytes for {rest_s:.2f} s more follow that may be sound; listen to all"
        f" of it (a WAV: ffmpeg -ignore_length 1 -i FILE NEW.wav), {KEEP}"
    )


def _count_mpeg(metadata: AudioMetadata) -> tuple[int, bool]:
    """Samples per channel in the frames of all its sounds, and whether each has a tag that tells the decoder."""
    with open(metadata.path, "rb") as file:
        n_bytes = file.seek(0, 2)
        sounds = metadata.content.sounds or (((0, n_bytes),),)
        views = [View(file, pieces) for pieces in sounds]
        counts = [count_mpeg_samples(view, len(view), find_start(view, len(view))) for view in views]
    return sum(n_samples for n_samples, _ in counts), all(is_declared for _, is_declared in counts)
