"""Notices about the sounds before anything is trained on them: channels, DC, level, bandwidth."""

from collections.abc import Callable, Sequence

from sda.audio.mono import COMPLETE_LOSS_DB, DEAD_DB, HIGH_PASS_HZ, MOST_LOST_DB
from sda.data.measure import FAINT_DBFS, Measured
from sda.data.scanned import Scan, ScannedFile
from sda.printable import show_name

MOST_NAMES = 5
MANY = 0.5
"""Share of the files from which on something is said of them all."""
NARROW = 0.5
"""Of half of the rate: sounds that reach no higher leave as much of the spectrum empty."""
LEAST_RATE_HZ, LEAST_N_FFT, LEAST_HOP = 8000, 256, 32
"""Settings that are not undercut by what is suggested."""


def describe_sounds(scan: Scan, sample_rate_hz: int, n_fft: int, hop_length: int) -> list[str]:
    """In words and by name, what was done with the channels and offsets of usable files, and what they lack.

    Args:
        sample_rate_hz, n_fft, hop_length: of the spectrogram that is trained on.
    """

    def name(files: Sequence[ScannedFile], say: Callable[[Measured], str]) -> str:
        named = [f"{show_name(file.path, scan.root)} ({say(file.measured)})" for file in files[:MOST_NAMES]]
        more = f" and {len(files) - MOST_NAMES} more" if len(files) > MOST_NAMES else ""
        return ", ".join(named) + more

    usable = scan.usable
    partial = [file for file in usable if file.measured.channels_kept]
    cancelling = [file for file in partial if file.measured.mix_loss_db > MOST_LOST_DB]
    muted = [file for file in partial if file.measured.mix_loss_db <= MOST_LOST_DB]
    shifted = [file for file in usable if file.measured.offset_removed]
    ultrasonic = [file for file in usable if file.measured.rate_loss_db > MOST_LOST_DB]
    quiet = [file for file in usable if file.measured.level_dbfs < FAINT_DBFS]
    notices = []
    if cancelling:
        notices.append(
            f"averaging the channels of {_count(cancelling, usable)} would lose more than {MOST_LOST_DB:g} dB, as they "
            f"cancel or are many: one of each is kept: {name(cancelling, _say_loss)}"
        )
    if muted:
        notices.append(
            f"channels without sound ({-DEAD_DB:g} dB below the loudest) in {_count(muted, usable)} "
            f"are left out of the average: {name(muted, _say_channels)}"
        )
    if shifted:
        notices.append(
            f"constant voltage (DC) or drift in {_count(shifted, usable)} is taken out by a high-pass at "
            f"{HIGH_PASS_HZ:g} Hz: {name(shifted, lambda found: f'mean {found.offset:+.2g}')}"
        )
    if ultrasonic:
        notices.append(
            f"most of the sound in {_count(ultrasonic, usable)} lies above {sample_rate_hz / 2000:g} kHz and is lost; "
            f"a higher audio.sample_rate_hz keeps it: {name(ultrasonic, lambda found: f'{found.rate_loss_db:.0f} dB')}"
        )
    if quiet:
        notices.append(
            f"quieter than {FAINT_DBFS:g} dBFS: {_count(quiet, usable)}, "
            f"{name(quiet, lambda found: f'{found.level_dbfs:.1f}')}; "
            f"{_say_gain(scan.gain_db)}"
        )
    notices += _describe_bandwidth(usable, sample_rate_hz, n_fft, hop_length, name)
    return notices


def _describe_bandwidth(
    usable: Sequence[ScannedFile],
    sample_rate_hz: int,
    n_fft: int,
    hop_length: int,
    name: Callable[[Sequence[ScannedFile], Callable[[Measured], str]], str],
) -> list[str]:
    """Whether most sounds, or all of them, leave half of the spectrum empty."""
    highest_hz = sample_rate_hz / 2
    narrow = [file for file in usable if file.measured.bandwidth_hz < NARROW * highest_hz]
    if len(narrow) < MANY * len(usable):
        return []
    edge_hz = max(file.measured.bandwidth_hz for file in narrow)
    empty = f"what is trained on reaches to {highest_hz / 1000:g} kHz"
    if len(narrow) < len(usable):
        facts = name(narrow, lambda found: f"{found.bandwidth_hz / 1000:.2g} kHz")
        return [f"{_count(narrow, usable)} end below {NARROW * highest_hz / 1000:g} kHz, and {empty}: {facts}"]
    words = f"these sounds end at {edge_hz / 1000:.2g} kHz, and {empty}: the rest of it stays empty"
    settings = (sample_rate_hz, n_fft, hop_length)
    for divisor in (8, 4, 2):
        rate_hz, window, hop = (setting // divisor for setting in settings)
        is_whole = all(setting % divisor == 0 for setting in settings)
        is_allowed = rate_hz >= LEAST_RATE_HZ and window >= LEAST_N_FFT and hop >= LEAST_HOP
        if is_whole and is_allowed and rate_hz / 2 >= edge_hz:
            keys = f"audio.sample_rate_hz={rate_hz} audio.n_fft={window} audio.hop_length={hop}"
            return [f"{words}. To have all bands where the sound is: {keys}"]
    return [words]


def _say_gain(gain_db: float) -> str:
    direction = "up" if gain_db > 0 else "down"
    return f"all sounds are turned {direction} by {abs(gain_db):.0f} dB while they are learned; what is made is not"


def _count(files: Sequence[ScannedFile], usable: Sequence[ScannedFile]) -> str:
    if len(files) == len(usable):
        return f"all {len(usable)} files"
    return f"{len(files)} of {len(usable)} files"


def _say_channels(found: Measured) -> str:
    several = "s" if "," in found.channels_kept else ""
    return f"channel{several} {found.channels_kept} of {found.n_channels} kept"


def _say_loss(found: Measured) -> str:
    lost = "everything" if found.mix_loss_db >= COMPLETE_LOSS_DB else f"{found.mix_loss_db:.0f} dB"
    return f"channel {found.channels_kept} of {found.n_channels}, else {lost} lost"
