"""What is in a folder, or in several, and what is usable: every file is decoded, and bad ones are left out by name."""

import hashlib
import os
import struct
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import asdict, replace

from sda.audio.io import SUPPORTED_SUFFIXES, AudioMetadata, FloatArray, explain_failure, get_metadata, read_blocks
from sda.audio.length import find_loss
from sda.audio.mono import MOST_LOST_DB, ChannelSurvey, Mix, Mixer
from sda.audio.resampling import Resampler
from sda.data.cache import SoundCache
from sda.data.extent import Extent
from sda.data.fingerprint import NO_FINGERPRINT, Fingerprint, Fingerprinter
from sda.data.measure import Measured, Meter
from sda.data.scanned import Scan, ScannedFile, count_passed_over
from sda.data.signature import sign_file
from sda.data.walk import walk
from sda.errors import CacheError, DataError
from sda.places import lies_in
from sda.printable import show_name
from sda.roots import Folder, find_roots, join_roots

MOST_NAMED = 5

Progress = Callable[[int, int], None]
"""`(files looked at, files in all)`, called from several threads."""


def scan_folder(
    root: Folder | Sequence[Folder],
    min_duration_s: float = 0.02,
    silence_dbfs: float = -80.0,
    cache: SoundCache | None = None,
    progress: Progress | None = None,
    *,
    with_generated: bool = False,
) -> Scan:
    """Look at every file below `root`; each sound that is new is decoded from end to end, and cached.

    Args:
        root: the folder, or a list of several; `~` is expanded. Nothing is written into them.
        min_duration_s: files shorter than this are quarantined.
        silence_dbfs: files of which no sample that is kept exceeds this are quarantined as silent.
        cache: keeps waveforms and measurements; the default folder at 48 kHz if not given.
        progress: told after every file.
        with_generated: look into folders of generated sound too.

    Raises:
        DataError: a folder is missing or is none, or there is no usable sound; or the cache cannot be written.
    """
    given = [root] if isinstance(root, str | os.PathLike) else root
    folders = find_roots(given)
    store = SoundCache() if cache is None else cache
    if any(lies_in(place, folder) for place in store.folders for folder in folders):
        raise DataError(f"data.cache_dir={store.folder} lies inside data.root, which is never written to.")
    entries = list(walk(folders, with_generated))
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
    scan = Scan(tuple(map(str, folders)), tuple(files), acoustic)
    if not scan.usable:
        raise DataError(
            f"data.root={join_roots(given)}: no usable sound file: {_describe_useless(scan)}. "
            f"Supported: {', '.join(sorted(SUPPORTED_SUFFIXES))}."
        )
    return scan


def _describe_useless(scan: Scan) -> str:
    """What there is where nothing can be used."""
    named = [f"{show_name(file.path, scan.root)}: {file.reason}" for file in scan.quarantined[:MOST_NAMED]]
    n_more = len(scan.quarantined) - len(named)
    if n_more:
        named.append(f"{n_more} more")
    if scan.passed_over:
        first = show_name(scan.passed_over[0].path, scan.root)
        named.append(f"{count_passed_over(scan)}, such as {first}")
    return "; ".join(named) or ("the folder is empty" if len(scan.folders) == 1 else "the folders are empty")


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
