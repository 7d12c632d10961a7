"""What is in a folder, and what of it is usable: every file is decoded, and bad ones are left out by name."""

import hashlib
import math
import os
import stat
import struct
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from sda.audio.io import (
    SUPPORTED_SUFFIXES,
    AudioMetadata,
    FloatArray,
    Resampler,
    explain_failure,
    get_metadata,
    read_blocks,
)
from sda.audio.length import find_loss
from sda.audio.mono import MOST_LOST_DB, ChannelSurvey, Mix, Mixer
from sda.data.cache import SoundCache, sign_file
from sda.data.extent import Extent
from sda.data.fingerprint import NO_FINGERPRINT, Fingerprint, Fingerprinter
from sda.data.measure import Measured, Meter
from sda.errors import CacheError, DataError
from sda.places import lies_in
from sda.printable import make_printable

RUN_FOLDER_MARK = ".hydra"
"""A folder that holds this is a run's own output and never data."""

TRACKING_FOLDERS = frozenset({"mlruns", "mlartifacts"})
"""Folders that MLflow fills with copies of a run's sounds."""

GENERATED_RECORD = "generated.json"
EVALUATION_RECORD = "evaluation.json"
EVALUATION_PAGE = "report.html"
OWN_OUTPUT = ((GENERATED_RECORD,), (EVALUATION_RECORD, EVALUATION_PAGE))
"""Files by which a folder says that a call of sda made it, and that nothing in it is data."""

LEARNED_DBFS = -20.0
"""Level of a corpus where it sounds, as it is learned and judged: every floor below which nothing counts lies as far
below a quiet recording as below a loud one."""

Progress = Callable[[int, int], None]
"""`(files looked at, files in all)`, called from several threads."""


@dataclass(frozen=True)
class ScannedFile:
    """One entry of the folder, usable or quarantined."""

    path: str
    """Absolute path."""
    reason: str = ""
    """Why it is left out; empty for a usable file."""
    sha256: str = ""
    """Hash of the decoded samples: equal for the same sound in two lossless formats."""
    measured: Measured = field(default_factory=Measured)

    @property
    def usable(self) -> bool:
        """Whether the file can be trained on."""
        return not self.reason

    @property
    def duration_s(self) -> float:
        """Length in seconds; 0 where the file could not be read."""
        return self.measured.duration_s


@dataclass(frozen=True)
class Scan:
    """A folder's files in the order of their paths."""

    root: str
    files: tuple[ScannedFile, ...]
    acoustic: dict[str, Fingerprint] = field(default_factory=dict, repr=False, compare=False)
    """Acoustic fingerprint of every usable file, by path."""

    @property
    def usable(self) -> list[ScannedFile]:
        """The files to train on."""
        return [file for file in self.files if file.usable]

    @property
    def quarantined(self) -> list[ScannedFile]:
        """The files left out, each with its reason."""
        return [file for file in self.files if not file.usable]

    @property
    def file_count(self) -> int:
        """Number of usable files."""
        return len(self.usable)

    @property
    def fingerprint(self) -> str:
        """SHA-256 over the decoded sounds of all usable files, whatever their names."""
        return hashlib.sha256("\n".join(sorted(file.sha256 for file in self.usable)).encode()).hexdigest()

    @property
    def gain_db(self) -> float:
        """By how much all usable sounds together are turned up, or down, to come to `LEARNED_DBFS`; 0 without any."""
        sounding = [(file.duration_s * (1.0 - file.measured.quiet_fraction), file.measured) for file in self.usable]
        power = sum(seconds * 10 ** (measured.level_dbfs / 10) for seconds, measured in sounding)
        total_s = sum(seconds for seconds, _ in sounding)
        return round(LEARNED_DBFS - 10 * math.log10(power / total_s), 2) if power > 0 and total_s > 0 else 0.0

    def count_chunks(self, chunk_duration_s: float) -> int:
        """Chunks in all usable files from the first sound to the last, cut ones counted whole."""
        return sum(
            count_between(file.measured.sound_start_s, file.measured.sound_end_s, chunk_duration_s)
            for file in self.usable
        )


def count_between(start_s: float, end_s: float, chunk_duration_s: float, origin_s: float = 0.0) -> int:
    """Chunks of a grid with a piece of `start_s` to `end_s` in them.

    Args:
        origin_s: where the grid begins.

    >>> count_between(0.0, 2.5, 1.0), count_between(1.2, 1.4, 1.0), count_between(0.9, 1.1, 1.0)
    (3, 1, 2)
    """
    start, end = ((place - origin_s) / chunk_duration_s for place in (start_s, end_s))
    return max(1, math.ceil(end - 1e-9) - math.floor(start + 1e-9))


def scan_folder(
    root: str | os.PathLike[str],
    min_duration_s: float = 0.02,
    silence_dbfs: float = -80.0,
    cache: SoundCache | None = None,
    progress: Progress | None = None,
    *,
    with_generated: bool = False,
) -> Scan:
    """Look at every file below `root`; each sound that is new is decoded from end to end, and cached.

    Args:
        root: the folder; `~` is expanded. Nothing is written into it.
        min_duration_s: files shorter than this are quarantined.
        silence_dbfs: files of which no sample that is kept exceeds this are quarantined as silent.
        cache: keeps waveforms and measurements; the default folder at 48 kHz if not given.
        progress: told after every file.
        with_generated: look into folders of generated sound too.

    Raises:
        DataError: the folder is missing, is no folder, or holds no usable sound; or the cache cannot be written.
    """
    folder = Path(root).expanduser().absolute()
    if not folder.exists():
        raise DataError(f"data.root={root}: there is no such folder. Give the folder that holds your sounds.")
    if not folder.is_dir():
        raise DataError(f"data.root={root}: is a file. Give the folder that holds your sounds.")
    store = SoundCache() if cache is None else cache
    if any(lies_in(place, folder) for place in store.folders):
        raise DataError(f"data.cache_dir={store.folder} lies inside data.root, which is never written to.")
    entries = list(_walk(folder, with_generated))
    files: list[ScannedFile] = []
    acoustic: dict[str, Fingerprint] = {}
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        looked_at = pool.map(lambda entry: _look_at(entry, min_duration_s, silence_dbfs, store), entries)
        for number, (file, fingerprint) in enumerate(looked_at, start=1):
            files.append(file)
            if file.usable:
                acoustic[file.path] = fingerprint
            if progress is not None:
                progress(number, len(entries))
    scan = Scan(str(folder), tuple(files), acoustic)
    if not scan.usable:
        found = "; ".join(f"{Path(file.path).name}: {file.reason}" for file in scan.quarantined[:5]) or "it is empty"
        raise DataError(
            f"data.root={root}: no usable sound file ({found}). Supported: {', '.join(sorted(SUPPORTED_SUFFIXES))}."
        )
    return scan


def scan_file(
    path: str | os.PathLike[str],
    min_duration_s: float = 0.02,
    silence_dbfs: float = -80.0,
    cache: SoundCache | None = None,
) -> tuple[ScannedFile, Fingerprint]:
    """Judge one file and see to it that its waveform is cached; it is decoded only if it is new or has changed.

    Memory stays bounded whatever its length.
    """
    store = SoundCache() if cache is None else cache
    name = os.fspath(path)
    known = store.find_record(name)
    if known is not None:
        file = ScannedFile(name, sha256=known[0]["sha256"], measured=Measured(**known[0]["measured"]))
        file = replace(file, reason=_find_fault(file.measured, min_duration_s, silence_dbfs, store.sample_rate_hz))
        if not file.usable or store.open_waveform(file.sha256) is not None:
            return file, known[1]
    signature = sign_file(name)
    file, fingerprint = _decode(name, store)
    if file.sha256:  # what could not be read is tried again: the fault may have been the disk's or the network's
        store.keep_record(name, signature, {"sha256": file.sha256, "measured": asdict(file.measured)}, fingerprint)
    return replace(
        file, reason=_find_fault(file.measured, min_duration_s, silence_dbfs, store.sample_rate_hz)
    ), fingerprint


def _look_at(
    entry: ScannedFile, min_duration_s: float, silence_dbfs: float, cache: SoundCache
) -> tuple[ScannedFile, Fingerprint]:
    """What a worker does for one entry of the folder."""
    if entry.reason:
        return entry, NO_FINGERPRINT
    return scan_file(entry.path, min_duration_s, silence_dbfs, cache)


def _decode(path: str, cache: SoundCache) -> tuple[ScannedFile, Fingerprint]:
    """Decode a file from end to end: hash, measure, fingerprint and cache it on the way.

    Once, as the average of its channels; a second time where it turns out that something else has to be kept.
    """
    try:
        metadata = get_metadata(path)
        survey = ChannelSurvey(metadata.sample_rate_hz, metadata.n_channels)
        found = _keep(metadata, cache, survey)
        mix = survey.choose()
        if mix != Mix() and not found[0].measured.fault:
            first, found = found, _keep(metadata, cache, survey, mix)
            if found[0].sha256 != first[0].sha256:
                raise DataError("it was replaced while it was read")
        return found
    except CacheError:
        raise
    except (DataError, OSError) as error:  # an OSError: it vanished while it was read
        return ScannedFile(path, measured=Measured(fault=explain_failure(error.__cause__ or error))), NO_FINGERPRINT


def _keep(
    metadata: AudioMetadata, cache: SoundCache, survey: ChannelSurvey, chosen: Mix | None = None
) -> tuple[ScannedFile, Fingerprint]:
    """Decode a file once and cache one mix of its channels.

    Args:
        survey: looks at the channels, unless a mix is chosen already.
        chosen: what to keep; without it the average, which is cached only where the survey finds that it will do.
    """
    path, rate_hz, mix = str(metadata.path), metadata.sample_rate_hz, chosen or Mix()
    meter = Meter(rate_hz, metadata.n_channels, metadata.subtype, cache.sample_rate_hz)
    fingerprinter, mixer = Fingerprinter(rate_hz), Mixer(mix, rate_hz)
    header = struct.pack("<ii", rate_hz, metadata.n_channels)
    digest, extent = hashlib.sha256(header), Extent(header)
    resampler = Resampler(rate_hz, cache.sample_rate_hz)
    writer = cache.record_waveform()

    def keep(samples: FloatArray) -> None:
        writer.add(samples)
        meter.hear(samples)

    with closing(writer):
        for block in read_blocks(path):
            if block.shape[1] != metadata.n_channels:
                raise DataError("it was replaced while it was read")
            meter.add(block)
            if meter.fault:
                break
            digest.update(block.tobytes())
            extent.add(block)
            if chosen is None:
                survey.add(block)
            mono = mixer.mix(block)
            fingerprinter.feed(mono)
            keep(resampler.feed(mono))
        keep(resampler.finish())
        survey.finish()
        measured = replace(
            meter.finish(survey, mix, find_loss(metadata, meter.n_frames)),
            first_sound_frame=extent.first,
            end_of_sound_frame=extent.end,
            sound_sha256=extent.sha256,
        )
        if not measured.fault and (chosen is not None or survey.choose() == mix):
            writer.keep(digest.hexdigest())
    return ScannedFile(path, sha256=digest.hexdigest(), measured=measured), fingerprinter.finish()


def _find_fault(measured: Measured, min_duration_s: float, silence_dbfs: float, kept_rate_hz: int) -> str:
    """Why a file is left out, in words with what to do; empty for a usable one."""
    if measured.fault:
        return measured.fault
    if measured.duration_s < min_duration_s:
        return f"too short to use: under {min_duration_s:g} s (data.min_duration_s)"
    if measured.peak < 10 ** (silence_dbfs / 20):
        if measured.rate_loss_db > MOST_LOST_DB:
            return (
                f"silent below {kept_rate_hz / 2000:g} kHz: its sound is higher; "
                f"raise audio.sample_rate_hz, up to {measured.sample_rate_hz}"
            )
        if abs(measured.offset) >= 10 ** (silence_dbfs / 20):
            return f"constant voltage (DC) of {measured.offset:+.2g} without any sound; check how it was recorded"
        return f"silent: it never exceeds {silence_dbfs:g} dBFS (data.silence_dbfs)"
    return ""


def _walk(folder: Path, with_generated: bool) -> Iterator[ScannedFile]:
    """Every file below a folder in a fixed order; those that need not be decoded already have a reason."""
    seen = {os.path.realpath(folder)}
    unlisted: list[OSError] = []
    for current, folders, names in os.walk(folder, onerror=unlisted.append, followlinks=True):
        here = Path(current)
        kept = []
        for name in sorted(folders):
            inner = here / name
            target = os.path.realpath(inner)
            if name.startswith("."):
                yield ScannedFile(_printable(inner), reason="hidden folder")
            elif _is_run(inner) or name in TRACKING_FOLDERS:
                yield ScannedFile(_printable(inner), reason="inside a run folder: output of sda, not data")
            elif not with_generated and (record := _find_record(inner)):
                reason = f"holds {record}: output of sda, not data; take that file away if it is"
                yield ScannedFile(_printable(inner), reason=reason)
            elif target not in seen:
                seen.add(target)
                kept.append(name)
        folders[:] = kept
        for name in sorted(names):
            yield ScannedFile(_printable(here / name), reason=_refuse_unread(here / name))
    for error in unlisted:
        yield ScannedFile(_printable(Path(error.filename)), reason=explain_failure(error))


def _is_run(folder: Path) -> bool:
    """Whether a folder is a run's own output."""
    try:
        return (folder / RUN_FOLDER_MARK).is_dir()
    except OSError:  # it may not be looked into; listing it says so
        return False


def _find_record(folder: Path) -> str:
    """The file by which a folder says that a call of sda made it; empty where there is none."""
    try:
        return next((names[0] for names in OWN_OUTPUT if all((folder / name).is_file() for name in names)), "")
    except OSError:  # it may not be looked into; listing it says so
        return ""


def _refuse_unread(path: Path) -> str:
    """The reason to leave a file out without opening it; empty when it is worth decoding."""
    if path.name.startswith("."):
        return "hidden file"
    if _printable(path) != str(path):
        return "its name is not valid UTF-8; rename it"
    try:
        facts = path.stat()
    except OSError as error:  # forbidden, gone meanwhile, or a link in a circle
        nowhere = isinstance(error, FileNotFoundError) and path.is_symlink()
        return "unreadable: a link that leads nowhere" if nowhere else explain_failure(error)
    if not stat.S_ISREG(facts.st_mode):
        return "unreadable: not a regular file"
    if path.suffix.lower() not in SUPPORTED_SUFFIXES:
        return f"unsupported format {make_printable(path.suffix) or 'without a suffix'}; convert it to WAV or FLAC"
    return "" if facts.st_size else "empty: the file has no bytes"


def _printable(path: Path) -> str:
    """The path as text that can be written anywhere; a name that is no UTF-8 gets a sign in place of what is not."""
    return os.fsencode(path).decode("utf-8", "replace")
